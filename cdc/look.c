#include "cdc/look.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/look_redis.h"
#include "cdc/sql/texts.h"
#include "cdc/standing.h"
#include "cdc/status.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/pg.h"
#include "queue/tool_text.h"

struct look {
    struct loop *loop;
    const struct config *config;
    const char *application;
    bool details;
    struct pg *pg;
    struct rconn *rconn;
    bool pg_closed; /* as Redis: to be opened */
    bool pinned;    /* the session has the settings that the questions rely on */
    bool redis_closed;
    /* the look at hand, or the last one */
    int64_t at_ms;
    bool pg_over, redis_over;
    struct err pg_err, redis_err;
    json_t *standing;
    json_t *quarantine;
    struct look_round *round;
    loop_fn *done;
    void *arg;
};

static void end_part(struct look *look, bool *over)
{
    bool was_under_way = look_is_under_way(look);

    *over = true;
    if (was_under_way && !look_is_under_way(look) && look->done)
        look->done(look->arg);
}

/* ---- PostgreSQL ---- */

static void fail_pg(struct look *look, const struct err *err)
{
    err_copy(&look->pg_err, err);
    standing_explain(&look->pg_err);
    end_part(look, &look->pg_over);
}

static void on_quarantined(void *arg, const struct pg_rows *rows, const struct err *err)
{
    struct look *look = arg;

    if (err) {
        fail_pg(look, err);
        return;
    }
    look->quarantine = text_parsed_json(pg_rows_get(rows, 0, 0, NULL));
    end_part(look, &look->pg_over);
}

static void ask_quarantined(struct look *look)
{
    const char *const params[] = {look->config->fleet};
    struct pg_query query = {.sql = sql_quarantined, .params = params, .nparams = 1};

    pg_send(look->pg, &query, on_quarantined, look);
}

static void on_standing(void *arg, const struct pg_rows *rows, const struct err *err)
{
    struct look *look = arg;

    if (err) {
        fail_pg(look, err);
        return;
    }
    look->standing = standing_take(rows, &look->pg_err);
    if (look->standing && look->details)
        ask_quarantined(look);
    else
        end_part(look, &look->pg_over);
}

static void ask_standing(struct look *look)
{
    struct pg_query query = {.sql = sql_status};

    pg_send(look->pg, &query, on_standing, look);
}

static void on_pinned(void *arg, const struct pg_rows *rows, const struct err *err)
{
    struct look *look = arg;

    (void)rows;
    look->pinned = !err;
    if (err)
        fail_pg(look, err);
    else
        ask_standing(look);
}

static void pin(void *arg)
{
    struct look *look = arg;
    struct pg_query query = {.sql = sql_session, .script = true};

    pg_send(look->pg, &query, on_pinned, look);
}

static void on_pg_down(void *arg, const struct err *why)
{
    struct look *look = arg;

    look->pg_closed = true;
    look->pinned = false;
    fail_pg(look, why);
}

static const struct pg_handlers pg_handlers = {pin, on_pg_down, NULL};

static void begin_pg(struct look *look)
{
    struct pg_target target = {look->config->postgres, look->config->postgres_password, look->application};

    if (!look->pg)
        look->pg = pg_new(look->loop, &pg_handlers, look);
    if (look->pg_closed)
        pg_open(look->pg, &target);
    else if (pg_is_up(look->pg) && look->pinned)
        ask_standing(look);
    else if (pg_is_up(look->pg))
        pin(look);
    look->pg_closed = false;
}

/* ---- Redis ---- */

static void on_round_over(void *arg)
{
    struct look *look = arg;

    err_copy(&look->redis_err, &look->round->err);
    end_part(look, &look->redis_over);
}

static void ask_redis(struct look *look)
{
    look->round = look_round_begin(look->rconn, look->config, look->details, on_round_over, look);
}

static void on_redis_down(void *arg, const struct err *why)
{
    struct look *look = arg;

    look->redis_closed = true;
    err_copy(&look->redis_err, why);
    end_part(look, &look->redis_over);
}

static void on_redis_up(void *arg)
{
    ask_redis(arg);
}

static const struct rconn_handlers redis_handlers = {on_redis_up, on_redis_down};

static void begin_redis(struct look *look)
{
    look_round_end(look->round);
    look->round = NULL;
    if (!look->rconn)
        look->rconn = rconn_new(look->loop, &redis_handlers, look);
    if (look->redis_closed)
        rconn_open(look->rconn, &look->config->redis);
    else if (rconn_is_up(look->rconn))
        ask_redis(look);
    look->redis_closed = false;
}

/* ---- a look ---- */

struct look *look_new(struct loop *loop, const struct config *config, const char *application, bool details)
{
    struct look *look = mem_zalloc(sizeof(*look));

    look->loop = loop;
    look->config = config;
    look->application = application;
    look->details = details;
    look->pg_closed = look->redis_closed = true;
    look->pg_over = look->redis_over = true;
    return look;
}

static void forget(struct look *look)
{
    json_decref(look->standing);
    json_decref(look->quarantine);
    look->standing = look->quarantine = NULL;
    err_clear(&look->pg_err);
    err_clear(&look->redis_err);
}

bool look_is_under_way(const struct look *look)
{
    return !look->pg_over || !look->redis_over;
}

void look_begin(struct look *look, loop_fn *done, void *arg)
{
    if (look_is_under_way(look))
        return;
    forget(look);
    look->done = done;
    look->arg = arg;
    look->at_ms = clock_wall_ms();
    look->pg_over = look->redis_over = false;
    begin_pg(look);
    begin_redis(look);
}

void look_rest(struct look *look)
{
    look->done = NULL;
    look_round_end(look->round);
    look->round = NULL;
    pg_free(look->pg);
    rconn_free(look->rconn);
    look->pg = NULL;
    look->rconn = NULL;
    look->pg_closed = look->redis_closed = true;
    look->pg_over = look->redis_over = true;
}

void look_free(struct look *look)
{
    if (!look)
        return;
    look_rest(look);
    forget(look);
    free(look);
}

/* ---- what was seen ---- */

/* Those of the configuration of which nothing is known are named, too. */
static void name_projections(const struct config *config, json_t *fleet)
{
    json_t *known = json_object_get(fleet, "projections"), *projection;
    size_t i;

    for (size_t j = 0; j < config->nprojections; j++) {
        const struct projection *named = &config->projections[j];
        json_t *found = NULL;

        json_array_foreach (known, i, projection)
            if (strcmp(standing_text(projection, "projection"), named->name) == 0)
                found = projection;
        if (!found) {
            found = json_pack("{s:s, s:i}", "projection", named->name, "quarantined", 0);
            json_array_append_new(known, found);
        }
        json_object_set_new(found, "source", json_string(named->source));
    }
}

static void name_own_projections(const struct config *config, json_t *fleets)
{
    json_t *fleet;
    size_t i;

    json_array_foreach (fleets, i, fleet)
        if (strcmp(standing_text(fleet, "fleet"), config->fleet) == 0)
            name_projections(config, fleet);
}

static void tell_standing(const struct look *look, json_t *status)
{
    json_t *standing = json_deep_copy(look->standing);

    name_own_projections(look->config, json_object_get(standing, "fleets"));
    json_object_update(status, standing);
    json_decref(standing);
    if (look->quarantine)
        json_object_set(status, "quarantine", look->quarantine);
}

static void note_error(json_t *status, const struct err *err, enum status *ret_status)
{
    if (err->status == ST_OK)
        return;
    json_array_append_new(json_object_get(status, "errors"), text_json(err->text, strlen(err->text)));
    if (*ret_status == ST_OK)
        *ret_status = err->status;
}

static void note_silence(json_t *status, bool over, const char *who, enum status *ret_status)
{
    struct err err = ERR_NONE;

    err_set(&err, ST_AGAIN, "%s has not answered yet", who);
    if (!over)
        note_error(status, &err, ret_status);
}

json_t *look_status(const struct look *look, enum status *ret_status)
{
    json_t *status = json_pack("{s:[], s:I, s:[], s:[]}", "errors", "looked_at_ms", (json_int_t)look->at_ms,
                               "fleets", "queues");

    *ret_status = ST_OK;
    if (look->standing)
        tell_standing(look, status);
    if (look->round)
        look_round_tell(look->round, status);
    note_error(status, &look->pg_err, ret_status);
    note_silence(status, look->pg_over, "PostgreSQL", ret_status);
    note_error(status, &look->redis_err, ret_status);
    note_silence(status, look->redis_over, "Redis", ret_status);
    status_judge(status, look->config);
    return status;
}
