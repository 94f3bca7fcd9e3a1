/* pgusher status: how each fleet stands, what waits in the queues, and whether the servers answer. */
#include <stdio.h>
#include <string.h>

#include "cdc/standing.h"
#include "cdc/tool.h"

static int ask_postgres(struct session *session, json_t *status, struct err *err)
{
    json_t *standing;

    json_object_set_new(status, "fleets", json_array());
    if (session_connect_pg(session, "pgusher status", err) != 0)
        return -1;
    standing = standing_ask(session, err);
    if (!standing)
        return -1;
    json_object_update(status, standing);
    json_decref(standing);
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
    if (standing_integer(fleet, "workers") == 0)
        return "no worker: nobody applies the changes";
    return json_is_true(json_object_get(fleet, "asleep")) ? "asleep, will be woken" : "awake";
}

static void print_workers(const json_t *fleet)
{
    printf("  workers      %lld (%s)\n", standing_integer(fleet, "workers"), gate_of(fleet));
    if (standing_integer(fleet, "polling"))
        printf("  polling      %lld of them: notifications do not reach them, changes are seen later\n",
               standing_integer(fleet, "polling"));
    printf("  partitions   %lld owned, %lld without an owner; %lld closed their gate\n",
           standing_integer(fleet, "partitions_owned"), standing_integer(fleet, "partitions_orphaned"),
           standing_integer(fleet, "gates_closed"));
}

static void print_lag(const json_t *fleet)
{
    const json_t *age = json_object_get(fleet, "lag_seconds");
    const json_t *cut = json_object_get(fleet, "cut_seconds_ago");

    printf("  lag          changes not yet applied: %s%lld",
           json_is_true(json_object_get(fleet, "lag_is_estimate")) ? "about " : "",
           standing_integer(fleet, "lag_changes"));
    if (json_is_number(age))
        printf(", the oldest %.1f s old", json_number_value(age));
    printf("\n  cursor       the oldest was saved %.1f s ago\n",
           json_number_value(json_object_get(fleet, "cursor_moved_seconds_ago")));
    if (json_is_number(cut))
        printf("  cut loose    %.1f s ago: it was further behind than max_lag, and must backfill\n",
               json_number_value(cut));
}

static void print_backfills(const json_t *fleet)
{
    size_t i;
    const json_t *task;

    json_array_foreach (json_object_get(fleet, "backfills"), i, task)
        printf("  backfill     %s: %lld documents done, phase %s, %s %.1f s ago (%s)\n",
               standing_text(task, "projection"), standing_integer(task, "documents"),
               standing_text(task, "phase"),
               json_is_true(json_object_get(task, "waits_for_a_transaction"))
                   ? "waits for a transaction, asked"
                   : "moved",
               json_number_value(json_object_get(task, "moved_seconds_ago")), standing_text(task, "reason"));
}

static void print_fleet(const json_t *fleet)
{
    const char *identity = standing_text(fleet, "identity");

    printf("fleet %s\n", standing_text(fleet, "fleet"));
    print_workers(fleet);
    print_lag(fleet);
    print_backfills(fleet);
    printf("  quarantine   documents that cannot be built: %lld\n", standing_integer(fleet, "quarantined"));
    printf("  history      epoch %lld%s%s\n", standing_integer(fleet, "epoch"),
           identity ? ", PostgreSQL " : "", identity ? identity : "");
}

static void print_changelog(const json_t *changelog)
{
    size_t i;
    const json_t *table;

    printf("changelog: %lld kB, rows in its tables:", standing_integer(changelog, "bytes") / 1024);
    json_array_foreach (json_object_get(changelog, "tables"), i, table)
        printf(" %lld%s", standing_integer(table, "rows"),
               json_is_true(json_object_get(table, "current")) ? " (written now)" : "");
    putchar('\n');
}

static void print_plain(const json_t *status)
{
    size_t i;
    const json_t *item;

    json_array_foreach (json_object_get(status, "fleets"), i, item)
        print_fleet(item);
    if (json_object_get(status, "changelog"))
        print_changelog(json_object_get(status, "changelog"));
    json_array_foreach (json_object_get(status, "queues"), i, item)
        printf("queue %s: %lld waiting\n", standing_text(item, "queue"), standing_integer(item, "waiting"));
    json_array_foreach (json_object_get(status, "errors"), i, item)
        fprintf(stderr, "pgusher: %s\n", json_string_value(item));
}

static void note_error(json_t *status, const struct err *err)
{
    if (err->status != ST_OK)
        json_array_append_new(json_object_get(status, "errors"), json_string(err->text));
}

static enum exit_code status_run(const struct tool *tool)
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

const struct verb status_verb = {
    "status",
    status_run,
    FLAG_JSON,
    "how it stands",
    "usage: pgusher status [--json]\n"
    "\n"
    "Shows per fleet its workers, lag in changes and seconds, and quarantine; the changelog's size; the "
    "queues.\n"
    "Shows what it can when one server is down, and then exits 69.\n"
    "\n"
    "Example: pgusher -c pgusher.json status --json\n",
};
