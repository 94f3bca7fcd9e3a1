#include "cdc/position.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/beside.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"

/* ---- loading ---- */

/* What the primaries say, by partition. */
struct found {
    struct cursor cursors[MAX_PARTITIONS];
};

static void take_cursor(void *arg, int part, const char *text)
{
    struct found *found = arg;
    struct cursor cursor = {0};

    if (cursor_decode(text, &cursor) == 0) {
        if (found->cursors[part].done)
            cursor_hold_back(&found->cursors[part], &cursor);
        else
            cursor_copy(&found->cursors[part], &cursor);
    }
    cursor_free(&cursor);
}

static int load_from_pg(struct session *session, const struct parts *parts, struct cursor *ret_cursors,
                        struct err *err)
{
    char *list = parts_array(parts);
    const char *const params[] = {session->config->fleet, list};
    struct pg_query query = {.sql = "SELECT part, done, upto, at_xid, at_seq FROM pgusher.cursor"
                                    " WHERE fleet = $1 AND part = ANY($2)",
                             .params = params,
                             .nparams = 2};
    struct pg_rows *rows = NULL;
    int result = pg_run(session->pg, &query, &rows, err);

    for (int row = 0; result == 0 && row < pg_rows_count(rows); row++)
        cursor_set(&ret_cursors[atoi(pg_rows_get(rows, row, 0, NULL))], pg_rows_get(rows, row, 1, NULL),
                   pg_rows_get(rows, row, 2, NULL), pg_rows_get(rows, row, 3, NULL),
                   pg_rows_get(rows, row, 4, NULL));
    if (result == 0 && (size_t)pg_rows_count(rows) != parts->count) {
        err_set(err, ST_CONFIG, "fleet \"%s\" has no cursor for some partitions; run: pgusher install",
                session->config->fleet);
        result = -1;
    }
    pg_rows_free(rows);
    free(list);
    return result;
}

int position_load_all_from_pg(struct session *session, struct cursor *ret_cursors, struct err *err)
{
    struct parts all = {0};

    for (int i = 0; i < session->partitions; i++)
        parts_add(&all, i);
    return load_from_pg(session, &all, ret_cursors, err);
}

static int ask_resumable(struct session *session, const struct parts *parts, const struct cursor *cursors,
                         bool *ret_resumable, struct err *err)
{
    const char **snapshots = mem_alloc(sizeof(*snapshots) * (parts->count + 1));
    struct pg_query query = {.sql = "SELECT coalesce(bool_and(pgusher.can_resume(done::pg_snapshot)), true)"
                                    " FROM (SELECT DISTINCT unnest($1::text[]) AS done) cursors",
                             .nparams = 1};
    struct pg_rows *rows = NULL;
    char *array;
    int result;

    for (size_t i = 0; i < parts->count; i++)
        snapshots[i] = cursors[parts->list[i]].done;
    array = array_literal(snapshots, parts->count);
    query.params = (const char *const *)&array;
    result = pg_run(session->pg, &query, &rows, err);
    if (result == 0)
        *ret_resumable = pg_rows_get(rows, 0, 0, NULL)[0] == 't';
    pg_rows_free(rows);
    free(array);
    free(snapshots);
    return result;
}

int position_load(struct session *session, const struct parts *parts, struct cursor *ret_cursors,
                  bool *ret_resumable, struct err *err)
{
    struct found *found = mem_zalloc(sizeof(*found));
    int result = load_from_pg(session, parts, ret_cursors, err);

    if (result == 0)
        result = beside_cursors(session, parts, take_cursor, found, err);
    for (size_t i = 0; i < parts->count; i++) {
        int part = parts->list[i];

        if (result == 0 && found->cursors[part].done)
            cursor_hold_back(&ret_cursors[part], &found->cursors[part]);
        cursor_free(&found->cursors[part]);
    }
    free(found);
    return result == 0 ? ask_resumable(session, parts, ret_cursors, ret_resumable, err) : -1;
}

/* ---- saving ---- */

int position_save_beside(struct session *session, struct position *position, struct err *err)
{
    bool enough = true;

    if (session->config->wait_replicas > 0 && beside_wait(session, &enough, err) != 0)
        return -1;
    if (enough != session->replicas_follow) {
        if (enough)
            log_info("the replicas follow again");
        else
            log_warn("redis_wait: fewer than %d replicas confirmed within %lld ms; the cursor waits for them",
                     session->config->wait_replicas, (long long)session->config->wait_timeout_ms);
        session->replicas_follow = enough;
    }
    if (!enough)
        return 0;
    if (beside_save(session, position, err) != 0)
        return -1;
    position->unsaved = false;
    return 0;
}

int position_save_in_pg(struct session *session, struct position *position, struct err *err)
{
    const struct cursor *cursor = &position->cursor;
    char *parts = parts_array(&position->parts);
    const char *const params[] = {session->config->fleet, parts,          cursor->done,    cursor->upto,
                                  cursor->at_xid,         cursor->at_seq, session->dataset};
    struct pg_query query = {
        .sql = "UPDATE pgusher.cursor SET done = $3, upto = $4, at_xid = $5, at_seq = $6, moved_at = now()"
               " WHERE fleet = $1 AND part = ANY($2)"
               " AND EXISTS (SELECT FROM pgusher.fleet f WHERE f.name = $1 AND f.dataset = $7)",
        .name = "save_cursor",
        .params = params,
        .nparams = 7,
    };
    int result = pg_run(session->pg, &query, NULL, err);

    free(parts);
    if (result == 0) {
        position->unsaved_in_pg = false;
        position->saved_in_pg_at_ms = clock_mono_ms();
    }
    return result;
}

int position_release(struct session *session, const struct parts *parts, const struct parts *held,
                     struct err *err)
{
    struct parts closed = parts_filter(held, parts, true);
    char *list = parts_array(parts), *gates = parts_array(&closed);
    const char *const params[] = {session->number, list, gates};
    struct pg_query query = {
        .sql = "SELECT pgusher.release($1, $2, $3)", .name = "release", .params = params, .nparams = 3};
    int result = pg_run(session->pg, &query, NULL, err);

    free(list);
    free(gates);
    return result;
}
