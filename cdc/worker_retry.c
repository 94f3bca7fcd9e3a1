#include "cdc/worker_retry.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/expand.h"
#include "cdc/sql/texts.h"
#include "common/clock.h"
#include "common/mem.h"

/* One that fails is found by halving, some two statements for each: live changes must not wait for long. */
#define AT_A_TIME "50"

enum {
    PAUSE_MS = 200,      /* between two steps at least … */
    BUSY_SHARE = 4,      /* … and this many times as long as the last one took */
    LOOK_DEAF_MS = 5000, /* where nobody can tell of what came, or is to be tried sooner */
};

enum { DUE_PROJECTION, DUE_KEY, DUE_WATCH, DUE_ID };

struct retry {
    struct session *session;
    char *call;      /* the payload that says that there is something */
    bool look;       /* when the next is due is not known */
    int64_t due_ms;  /* monotonic; -1: nothing is there */
    int64_t next_ms; /* no step before this */
    size_t unfit;
};

struct retry *retry_new(struct session *session)
{
    struct retry *retry = mem_zalloc(sizeof(*retry));

    retry->session = session;
    retry->call = quarantine_call(session);
    retry->look = session->quarantined || session->deaf;
    retry->due_ms = -1;
    return retry;
}

void retry_free(struct retry *retry)
{
    if (!retry)
        return;
    free(retry->call);
    free(retry);
}

void retry_look_again(struct retry *retry)
{
    retry->look = true;
}

void retry_told(struct retry *retry, const char *payload)
{
    if (strcmp(payload, retry->call) != 0)
        return;
    retry->session->quarantined = true;
    retry->look = true;
    if (retry->session->wake)
        retry->session->wake(retry->session->arg);
}

int64_t retry_ms_left(const struct retry *retry)
{
    int64_t due_ms = retry->look ? 0 : retry->due_ms, left;

    if (due_ms < 0)
        return -1;
    left = (due_ms > retry->next_ms ? due_ms : retry->next_ms) - clock_mono_ms();
    return left > 0 ? left : 0;
}

/* ---- trying ---- */

static int64_t find_watch(const struct projection *projection, const char *table)
{
    for (size_t i = 0; i < projection->nwatches; i++)
        if (strcmp(projection->watches[i].table, table) == 0)
            return (int64_t)i;
    return -1;
}

/* A lookup; one that the configuration no longer has leads to nothing any more. */
static int try_lookup(struct retry *retry, struct batch *batch, size_t projection, const char *table,
                      const char *array, struct err *err)
{
    const struct projection *config = retry->session->plan->projections[projection].config;
    int64_t watch = find_watch(config, table);
    char **values;
    size_t count = array_parse(array, &values);
    int result = 0;

    if (watch >= 0 && config->watches[watch].lookup && config->watches[watch].ncolumns == count)
        result =
            expand_value(batch, retry->session, projection, (size_t)watch, (const char *const *)values, err);
    for (size_t i = 0; i < count; i++)
        free(values[i]);
    free(values);
    return result;
}

/* The id of a document, in values that the caller frees; false when its key and id are of another
 * configuration: then there is no such document any more. */
static bool find_id(const struct plan_projection *plan, const char *key, const char *array, char ***ret_id)
{
    size_t count = array ? array_parse(array, ret_id) : plan->config->nid;

    if (!array) {
        *ret_id = mem_zalloc(sizeof(char *) * MAX_ID_COLUMNS);
        if (plan_invert_key(plan, key, strlen(key), *ret_id) == 0)
            return true;
    } else if (count == plan->config->nid) {
        return true;
    }
    for (size_t i = 0; i < count; i++)
        free((*ret_id)[i]);
    free(*ret_id);
    return false;
}

static void add_document(const struct plan_projection *plan, const char *key, const char *array,
                         struct ids *ids)
{
    char **id;

    if (!find_id(plan, key, array, &id))
        return;
    ids_add(ids, (const char *const *)id);
    for (size_t i = 0; i < plan->config->nid; i++)
        free(id[i]);
    free(id);
}

static int try_projection(struct retry *retry, struct batch *batch, size_t projection,
                          const struct pg_rows *rows, struct err *err)
{
    const struct plan_projection *plan = &retry->session->plan->projections[projection];
    struct ids *ids = ids_new(plan->config->nid);
    int result = 0;

    for (int row = 0; row < pg_rows_count(rows) && result == 0; row++) {
        struct quarantine_entry entry = {
            .projection = pg_rows_get(rows, row, DUE_PROJECTION, NULL),
            .key = pg_rows_get(rows, row, DUE_KEY, NULL),
            .watch = pg_rows_get(rows, row, DUE_WATCH, NULL),
            .id = pg_rows_get(rows, row, DUE_ID, NULL),
        };

        if (strcmp(entry.projection, plan->config->name) != 0)
            continue;
        batch_retried(batch, &entry);
        if (entry.watch)
            result = try_lookup(retry, batch, projection, entry.watch, entry.id, err);
        else
            add_document(plan, entry.key, entry.id, ids);
    }
    if (result == 0)
        result = batch_apply_ids(batch, projection, ids, err);
    ids_free(ids);
    return result;
}

/* Who tried them before may have died between a write and its queueing: so everything is queued. */
static int try_all(struct retry *retry, const struct pg_rows *rows, struct err *err)
{
    struct batch *batch = batch_new(retry->session, (struct sink_queueing){.all = true});
    int result = 0;

    for (size_t i = 0; i < retry->session->plan->nprojections && result == 0; i++) {
        retry->unfit = i;
        result = try_projection(retry, batch, i, rows, err);
    }
    if (result == 0)
        result = batch_finish(batch, err);
    batch_free(batch);
    return result;
}

static int try_due(struct retry *retry, const char *names, struct err *err)
{
    const char *const params[] = {retry->session->config->fleet, names, AT_A_TIME};
    struct pg_query query = {
        .sql = sql_claim_quarantined, .name = "claim_quarantined", .params = params, .nparams = 3};
    struct pg_rows *rows = NULL;
    int result = pg_run(retry->session->pg, &query, &rows, err);

    if (result == 0 && pg_rows_count(rows))
        result = try_all(retry, rows, err);
    pg_rows_free(rows);
    return result;
}

/* ---- when ---- */

/* When the first one is due in so many ms; NULL: nothing is there. */
static int64_t due_at(const struct retry *retry, const char *ms)
{
    int64_t now = clock_mono_ms();

    if (retry->session->deaf && (!ms || atoll(ms) > LOOK_DEAF_MS))
        return now + LOOK_DEAF_MS;
    return ms ? now + atoll(ms) : -1;
}

static int ask_when(struct retry *retry, const char *names, struct err *err)
{
    const char *const params[] = {retry->session->config->fleet, names};
    struct pg_query query = {
        .sql = "SELECT ceil(extract(epoch FROM min(next_at) - clock_timestamp()) * 1000)::bigint"
               " FROM pgusher.quarantine WHERE fleet = $1 AND projection = ANY ($2)",
        .name = "next_quarantined",
        .params = params,
        .nparams = 2};
    struct pg_rows *rows = NULL;
    const char *ms;

    retry->look = false;
    if (pg_run(retry->session->pg, &query, &rows, err) != 0)
        return -1;
    ms = pg_rows_get(rows, 0, 0, NULL);
    retry->session->quarantined = ms != NULL;
    retry->due_ms = due_at(retry, ms);
    pg_rows_free(rows);
    return 0;
}

int retry_step(struct retry *retry, struct err *err)
{
    char *names = plan_whole_names(retry->session->plan);
    int64_t began = clock_mono_ms(), took;
    int result = 0;

    if (retry->due_ms >= 0 && retry->due_ms <= began)
        result = try_due(retry, names, err);
    if (result == 0)
        result = ask_when(retry, names, err);
    took = clock_mono_ms() - began;
    retry->next_ms = began + took + (BUSY_SHARE * took > PAUSE_MS ? BUSY_SHARE * took : PAUSE_MS);
    free(names);
    return result;
}

size_t retry_unfit(const struct retry *retry)
{
    return retry->unfit;
}
