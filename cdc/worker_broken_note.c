#include "cdc/worker_broken_note.h"

#include <stdlib.h>

#define CALL "pg_notify('pgusher', 'projections ' || (SELECT number FROM pgusher.fleet WHERE name = $1))"

static const char *const broken_sql =
    "WITH noted AS ("
    " INSERT INTO pgusher.projection AS p (fleet, name, broken_at, error)"
    " SELECT $1, n, now(), $3 FROM unnest($2::text[]) n"
    " ON CONFLICT (fleet, name) DO UPDATE SET broken_at = coalesce(p.broken_at, now()), error = "
    "EXCLUDED.error"
    " WHERE p.broken_at IS NULL OR p.error IS DISTINCT FROM EXCLUDED.error RETURNING 1)"
    " SELECT " CALL " FROM noted";

static const char *const mended_sql =
    "WITH noted AS ("
    " UPDATE pgusher.projection SET broken_at = NULL, error = NULL"
    " WHERE fleet = $1 AND name = ANY ($2) AND broken_at IS NOT NULL RETURNING 1),"
    " task AS ("
    " UPDATE pgusher.backfill SET error = NULL, next_at = NULL WHERE fleet = $1 AND projection = ANY ($2))"
    " SELECT " CALL ", pg_notify('pgusher', 'tasks ' || (SELECT number FROM pgusher.fleet WHERE name = $1))"
    " FROM noted";

/* A run that has begun may have passed the documents in question already, so it is begun anew; whoever is at
 * it will find that its row is another one. One that has not will read what is committed now. The pause was
 * asked for what it was before.
 *
 * What is written already may not be queued: when $3 says so, and when a run had begun. A microsecond makes a
 * row look as if one had, so that whoever takes it up queues it; nobody has been at it as long as it is at
 * its first key. */
#define TO_QUEUE "interval '1 microsecond'"
static const char *const make_up_sql =
    "INSERT INTO pgusher.backfill AS b (fleet, projection, reason, repair, phase, asked_at, moved_at)"
    " SELECT $1, n, 'the projection was broken', true, 'keys', t, CASE WHEN $3 THEN t + " TO_QUEUE
    " ELSE t END"
    "   FROM unnest($2::text[]) n, clock_timestamp() t"
    " ON CONFLICT (fleet, projection, filter) DO UPDATE"
    " SET reason = EXCLUDED.reason, repair = true, phase = 'keys', position = NULL, documents = 0, total = "
    "NULL,"
    "     paused = false, error = NULL, next_at = NULL, asked_at = EXCLUDED.asked_at,"
    "     moved_at = CASE WHEN $3 OR b.moved_at > b.asked_at THEN EXCLUDED.asked_at + " TO_QUEUE
    " ELSE EXCLUDED.asked_at END"
    " WHERE b.moved_at > b.asked_at + " TO_QUEUE " OR b.phase <> 'keys' OR b.documents > 0 OR NOT b.repair"
    "    OR ($3 AND b.moved_at = b.asked_at)";

/* more: the third parameter; NULL: there is none. */
static int run(struct session *session, const char *sql, const char *names, const char *more, struct err *err)
{
    const char *const params[] = {session->config->fleet, names, more};
    struct pg_query query = {.sql = sql, .params = params, .nparams = more ? 3 : 2};

    return pg_run(session->pg, &query, NULL, err);
}

static int run_for(struct session *session, const char *sql, size_t projection, const char *more,
                   struct err *err)
{
    const char *name = session->plan->projections[projection].config->name;
    char *names = array_literal(&name, 1);
    int result = run(session, sql, names, more, err);

    free(names);
    return result;
}

int note_broken(struct session *session, size_t projection, const char *why, struct err *err)
{
    return run_for(session, broken_sql, projection, why, err);
}

int note_mended(struct session *session, size_t projection, struct err *err)
{
    return run_for(session, mended_sql, projection, NULL, err);
}

int note_make_up(struct session *session, const char *names, bool queue_all, struct err *err)
{
    return run(session, make_up_sql, names, queue_all ? "t" : "f", err);
}

int note_make_up_for(struct session *session, size_t projection, struct err *err)
{
    return run_for(session, make_up_sql, projection, "f", err);
}
