/* pgusher status: how each fleet stands, what waits in the queues, and whether the servers answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/sql/texts.h"
#include "cdc/tool.h"
#include "common/mem.h"

enum { COL_NAME, COL_WORKERS, COL_ASLEEP, COL_CHANGES, COL_AGE, COL_MOVED, COL_QUARANTINED, COL_BYTES };

static json_t *number_or_null(const char *text)
{
    return text ? json_real(strtod(text, NULL)) : json_null();
}

static json_t *fleet_json(const struct pg_rows *rows, int row)
{
    return json_pack("{s:s, s:I, s:b, s:I, s:o, s:o, s:I}", "fleet", pg_rows_get(rows, row, COL_NAME, NULL),
                     "workers", (json_int_t)atoll(pg_rows_get(rows, row, COL_WORKERS, NULL)), "asleep",
                     pg_rows_get(rows, row, COL_ASLEEP, NULL)[0] == 't', "lag_changes",
                     (json_int_t)atoll(pg_rows_get(rows, row, COL_CHANGES, NULL)), "lag_seconds",
                     number_or_null(pg_rows_get(rows, row, COL_AGE, NULL)), "cursor_moved_seconds_ago",
                     number_or_null(pg_rows_get(rows, row, COL_MOVED, NULL)), "quarantined",
                     (json_int_t)atoll(pg_rows_get(rows, row, COL_QUARANTINED, NULL)));
}

static int ask_postgres(struct session *session, json_t *status, struct err *err)
{
    struct pg_query query = {.sql = sql_status};
    struct pg_rows *rows = NULL;
    json_t *fleets = json_array();

    json_object_set_new(status, "fleets", fleets);
    if (session_connect_pg(session, "pgusher status", err) != 0)
        return -1;
    if (pg_run(session->pg, &query, &rows, err) != 0) {
        if (err->status == ST_CONFIG) {
            err_clear(err);
            err_set(err, ST_CONFIG, "pgusher is not installed in this database; run: pgusher install");
        }
        return -1;
    }
    for (int row = 0; row < pg_rows_count(rows); row++)
        json_array_append_new(fleets, fleet_json(rows, row));
    if (pg_rows_count(rows))
        json_object_set_new(status, "changelog_bytes",
                            json_integer(atoll(pg_rows_get(rows, 0, COL_BYTES, NULL))));
    pg_rows_free(rows);
    return 0;
}

static int ask_length(struct session *session, const char *queue, json_t *queues, struct err *err)
{
    struct rreply *reply = rconn_run(session->rconn, rconn_route(session->rconn, queue, strlen(queue)), 2,
                                     (const char *const[]){"LLEN", queue}, err);

    if (!reply) {
        err_context(err, "queue %s", queue);
        return -1;
    }
    json_array_append_new(
        queues, json_pack("{s:s, s:I}", "queue", queue, "waiting", (json_int_t)rreply_integer(reply)));
    rreply_free(reply);
    return 0;
}

static int ask_redis(struct session *session, json_t *status, struct err *err)
{
    json_t *queues = json_array();

    json_object_set_new(status, "queues", queues);
    err_clear(&session->why_lost);
    session->lost = false;
    if (session_connect_redis(session, err) != 0)
        return -1;
    for (size_t i = 0; i < session->config->nqueues; i++)
        if (ask_length(session, session->config->queues[i].name, queues, err) != 0)
            return -1;
    return 0;
}

/* ---- plain output ---- */

static const char *gate_of(const json_t *fleet)
{
    if (json_integer_value(json_object_get(fleet, "workers")) == 0)
        return "no worker: nobody applies the changes";
    return json_is_true(json_object_get(fleet, "asleep")) ? "asleep, will be woken" : "awake";
}

static long long integer_of(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

static void print_fleet(const json_t *fleet)
{
    const json_t *age = json_object_get(fleet, "lag_seconds");

    printf("fleet %s\n", json_string_value(json_object_get(fleet, "fleet")));
    printf("  workers      %lld (%s)\n", integer_of(fleet, "workers"), gate_of(fleet));
    printf("  lag          changes not yet applied: %lld", integer_of(fleet, "lag_changes"));
    if (json_is_number(age))
        printf(", the oldest %.1f s old", json_number_value(age));
    printf("\n  cursor       last saved %.1f s ago\n",
           json_number_value(json_object_get(fleet, "cursor_moved_seconds_ago")));
    printf("  quarantine   documents that cannot be built: %lld\n", integer_of(fleet, "quarantined"));
}

static void print_plain(const json_t *status)
{
    size_t i;
    const json_t *item;

    json_array_foreach (json_object_get(status, "fleets"), i, item)
        print_fleet(item);
    if (json_object_get(status, "changelog_bytes"))
        printf("changelog: %lld kB\n",
               (long long)json_integer_value(json_object_get(status, "changelog_bytes")) / 1024);
    json_array_foreach (json_object_get(status, "queues"), i, item)
        printf("queue %s: %lld waiting\n", json_string_value(json_object_get(item, "queue")),
               (long long)json_integer_value(json_object_get(item, "waiting")));
    json_array_foreach (json_object_get(status, "errors"), i, item)
        fprintf(stderr, "pgusher: %s\n", json_string_value(item));
}

static void note_error(json_t *status, const struct err *err)
{
    if (err->status != ST_OK)
        json_array_append_new(json_object_get(status, "errors"), json_string(err->text));
}

enum exit_code status_run(const struct tool *tool)
{
    struct config *config = tool_config(tool);
    struct err pg_err = ERR_NONE, redis_err = ERR_NONE;
    struct session *session;
    struct loop *loop;
    json_t *status;

    if (!config)
        return EX_BAD_CONFIG;
    loop = loop_new();
    session = tool_session(loop, config);
    status = json_pack("{s:[]}", "errors");
    ask_postgres(session, status, &pg_err);
    ask_redis(session, status, &redis_err);
    note_error(status, &pg_err);
    note_error(status, &redis_err);
    if (tool->json)
        tool_print_json(status);
    else
        print_plain(status);
    if (!tool->json)
        json_decref(status);
    session_close(session);
    loop_free(loop);
    config_free(config);
    return status_exit_code(pg_err.status != ST_OK ? pg_err.status : redis_err.status);
}
