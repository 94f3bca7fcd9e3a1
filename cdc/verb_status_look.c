/* The look itself: who is asked, and what is kept open. See verb_status.h. */
#include <stdlib.h>
#include <string.h>

#include "cdc/standing.h"
#include "cdc/verb_status.h"
#include "common/clock.h"
#include "common/mem.h"
#include "queue/tool_text.h"

typedef int connect_fn(struct session *session, struct err *err);

static int connect_pg(struct session *session, struct err *err)
{
    return session_connect_pg(session, "pgusher status", err);
}

/* Opens what is not open. */
static int ensure(struct sight *sight, struct session **session, connect_fn *connect, struct err *err)
{
    if (*session && !(*session)->lost)
        return 0;
    session_close(*session);
    *session = tool_session(sight->loop, sight->config);
    return connect(*session, err);
}

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

static int look_at_postgres(struct sight *sight, json_t *status, struct err *err)
{
    json_t *standing;

    json_object_set_new(status, "fleets", json_array());
    if (ensure(sight, &sight->pg, connect_pg, err) != 0)
        return -1;
    standing = standing_ask(sight->pg, err);
    if (!standing)
        return -1;
    name_own_projections(sight->config, json_object_get(standing, "fleets"));
    json_object_update(status, standing);
    json_decref(standing);
    return 0;
}

static int look_at_redis(struct sight *sight, json_t *status, struct err *err)
{
    json_object_set_new(status, "queues", json_array());
    if (ensure(sight, &sight->redis, session_connect_redis, err) != 0 || sight_redis(sight, status, err) != 0)
        return -1;
    return sight_queues(sight, status, err);
}

static void note_error(json_t *status, const struct err *err, enum status *ret_status)
{
    if (err->status == ST_OK)
        return;
    json_array_append_new(json_object_get(status, "errors"), text_json(err->text, strlen(err->text)));
    if (*ret_status == ST_OK)
        *ret_status = err->status;
}

json_t *sight_look(struct sight *sight, enum status *ret_status)
{
    json_t *status = json_pack("{s:[], s:I}", "errors", "looked_at_ms", (json_int_t)clock_wall_ms());
    struct err pg_err = ERR_NONE, redis_err = ERR_NONE;

    *ret_status = ST_OK;
    look_at_postgres(sight, status, &pg_err);
    if (!sight->stopping)
        look_at_redis(sight, status, &redis_err);
    note_error(status, &pg_err, ret_status);
    note_error(status, &redis_err, ret_status);
    status_judge(status, sight->config);
    return status;
}

void sight_end(struct sight *sight)
{
    for (size_t i = 0; sight->queues && i < sight->config->nqueues; i++)
        pgusher_queue_close(sight->queues[i]);
    free(sight->queues);
    session_close(sight->pg);
    session_close(sight->redis);
}
