/* What both servers say of the past, and the epoch. See resume.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/resume_private.h"
#include "cdc/snapshot.h"
#include "cdc/sql/texts.h"
#include "common/mem.h"
#include "common/script_send.h"
#include "lua/scripts.h"

#define EPOCH_KEY "pgusher:epoch"

enum {
    STATE_VERSION,
    STATE_OLDEST_PROGRAM,
    STATE_PARTITIONS,
    STATE_INSTALLED_AT,
    STATE_NUMBER,
    STATE_SEARCH_PATH,
    STATE_EPOCH,
    STATE_IDENTITY,
    STATE_DATASET,
    STATE_OWN_IDENTITY,
    STATE_SNAPSHOT,
    STATE_QUARANTINED,
    STATE_DATABASE
};

/* ---- what is known ---- */

bool resume_differ(const char *a, const char *b)
{
    return !a || !b || strcmp(a, b) != 0;
}

enum resume_verdict resume_judge(const struct resume_facts *facts)
{
    if ((facts->pg_identity && resume_differ(facts->pg_identity, facts->identity)) ||
        (facts->redis_identity && resume_differ(facts->redis_identity, facts->identity)))
        return RESUME_NEW_HISTORY;
    if (facts->redis_ordinal > facts->now)
        return RESUME_BACK_IN_TIME;
    if (resume_differ(facts->pg_dataset, facts->redis_dataset))
        return RESUME_NEW_CONTENTS;
    return RESUME_GO_ON;
}

void resume_explain_rights(struct err *err)
{
    char text[sizeof(err->text)];

    if (err->status != ST_CONFIG || !strstr(err->text, "42501"))
        return;
    snprintf(text, sizeof(text), "%.700s; pgusher check names the GRANT", err->text);
    err_clear(err);
    err_set(err, ST_CONFIG, "%s", text);
}

static void not_installed(const struct session *session, struct err *err)
{
    err_clear(err);
    err_set(err, ST_CONFIG, "fleet \"%s\" is not installed in this database; run: pgusher install",
            session->config->fleet);
}

/* The fleet's row, or NULL with err set. */
static struct pg_rows *ask_pg(struct session *session, struct err *err)
{
    const char *const params[] = {session->config->fleet};
    struct pg_query query = {.sql = sql_fleet_state, .params = params, .nparams = 1};
    struct pg_rows *rows = NULL;

    if (pg_run(session->pg, &query, &rows, err) != 0) {
        if (err->status == ST_CONFIG && strstr(err->text, "pgusher."))
            not_installed(session, err);
        else if (err->status == ST_CONFIG && strstr(err->text, "column"))
            err_context(err, "schema pgusher is of another version; run: pgusher install");
        resume_explain_rights(err);
        return NULL;
    }
    if (pg_rows_count(rows) == 0) {
        not_installed(session, err);
        pg_rows_free(rows);
        return NULL;
    }
    return rows;
}

static const char *state_text(const struct pg_rows *rows, int column)
{
    return pg_rows_get(rows, 0, column, NULL);
}

static int64_t state_integer(const struct pg_rows *rows, int column)
{
    return atoll(state_text(rows, column));
}

static int check_state(const struct pg_rows *rows, struct err *err)
{
    if (state_integer(rows, STATE_VERSION) < SCHEMA_VERSION)
        err_set(err, ST_CONFIG,
                "schema pgusher is of version %s, this program needs %d; run: pgusher install",
                state_text(rows, STATE_VERSION), SCHEMA_VERSION);
    else if (state_integer(rows, STATE_OLDEST_PROGRAM) > SCHEMA_VERSION)
        err_set(err, ST_CONFIG,
                "schema pgusher is of version %s and no longer works with this program (version %d); upgrade "
                "it",
                state_text(rows, STATE_VERSION), SCHEMA_VERSION);
    else if (strstr(state_text(rows, STATE_OWN_IDENTITY), "standby"))
        err_set(err, ST_AGAIN, "PostgreSQL is a standby, not a primary; add target_session_attrs=read-write");
    return err->status == ST_OK ? 0 : -1;
}

static int pin_search_path(struct session *session, const char *search_path, struct err *err)
{
    const char *const params[] = {search_path};
    struct pg_query query = {
        .sql = "SELECT set_config('search_path', $1, false)", .params = params, .nparams = 1};

    return pg_run(session->pg, &query, NULL, err);
}

int resume_load(struct session *session, struct err *err)
{
    struct pg_rows *rows = ask_pg(session, err);
    int result;

    if (!rows)
        return -1;
    result = check_state(rows, err);
    if (result == 0) {
        mem_replace(&session->number, state_text(rows, STATE_NUMBER));
        mem_replace(&session->installed_at, state_text(rows, STATE_INSTALLED_AT));
        mem_replace(&session->database, state_text(rows, STATE_DATABASE));
        session->partitions = (int)state_integer(rows, STATE_PARTITIONS);
        session->quarantined = state_integer(rows, STATE_QUARANTINED) > 0;
        result = pin_search_path(session, state_text(rows, STATE_SEARCH_PATH), err);
    }
    pg_rows_free(rows);
    return result;
}

void knowledge_forget(struct knowledge *known)
{
    pg_rows_free(known->rows);
    free(known->beside.dataset);
    rreply_free(known->epoch);
    *known = (struct knowledge){0};
}

static struct rreply *ask_epoch(struct session *session, struct err *err)
{
    int route = rconn_route(session->rconn, EPOCH_KEY, strlen(EPOCH_KEY));
    struct rreply *reply = rconn_run(session->rconn, route, 4,
                                     (const char *const[]){"HMGET", EPOCH_KEY, "epoch", "identity"}, err);

    beside_name_key(err, EPOCH_KEY);
    return reply;
}

/* An ordinal that this process itself has used counts as long as the contents and the epoch are the same. */
static int64_t highest_ordinal(const struct session *session, const struct beside *beside)
{
    bool own_counts = session->ordinal > beside->ordinal && session->epoch == beside->epoch &&
                      !resume_differ(session->dataset, beside->dataset);

    return own_counts ? session->ordinal : beside->ordinal;
}

int knowledge_learn(struct session *session, struct knowledge *known, struct err *err)
{
    const struct rreply *identity;

    knowledge_forget(known);
    /* Redis first: its ordinals, which others go on raising, are then of before our snapshot. */
    if (beside_read(session, &known->beside, err) != 0)
        return -1;
    known->epoch = ask_epoch(session, err);
    if (!known->epoch)
        return -1;
    known->rows = ask_pg(session, err);
    if (!known->rows || check_state(known->rows, err) != 0)
        return -1;
    known->pg_epoch = state_integer(known->rows, STATE_EPOCH);
    identity = rreply_at(known->epoch, 1);
    known->facts = (struct resume_facts){
        .identity = state_text(known->rows, STATE_OWN_IDENTITY),
        .now = snapshot_ordinal(state_text(known->rows, STATE_SNAPSHOT)),
        .pg_identity = state_text(known->rows, STATE_IDENTITY),
        .pg_dataset = state_text(known->rows, STATE_DATASET),
        .redis_identity = rreply_type(identity) == RREPLY_STRING ? rreply_string(identity, NULL) : NULL,
        .redis_dataset = known->beside.dataset,
        .redis_ordinal = highest_ordinal(session, &known->beside),
    };
    return 0;
}

/* ---- epoch ---- */

struct epoch_answer {
    int64_t epoch;
    bool done;
    struct err err;
};

static void on_epoch(void *arg, const struct rreply *reply, const struct err *err)
{
    struct epoch_answer *answer = arg;

    answer->done = true;
    if (err)
        answer->err = *err;
    else
        answer->epoch = rreply_integer(reply);
}

/* Somebody who went no further has raised it since the record was begun. */
static bool is_raised(const struct knowledge *known)
{
    const struct rreply *epoch = rreply_at(known->epoch, 0);

    return rreply_type(epoch) == RREPLY_STRING && atoll(rreply_string(epoch, NULL)) > known->beside.epoch;
}

int knowledge_settle_epoch(struct session *session, const struct knowledge *known, bool back_in_time,
                           struct err *err)
{
    const struct resume_facts *facts = &known->facts;
    bool moved = facts->pg_identity && resume_differ(facts->pg_identity, facts->identity);
    struct script_call *call = script_call_new(&script_epoch);
    struct epoch_answer answer = {.err = ERR_NONE};

    script_key(call, EPOCH_KEY, strlen(EPOCH_KEY));
    script_arg(call, facts->identity, strlen(facts->identity));
    script_arg_int(call, known->pg_epoch + (moved ? 1 : 0));
    script_arg(call, back_in_time && !is_raised(known) ? "1" : "0", 1);
    script_send(call, session->rconn, on_epoch, &answer);
    loop_run_until(session->loop, &answer.done);
    if (answer.err.status == ST_OK && answer.epoch < 0)
        err_set(
            &answer.err, ST_AGAIN,
            "PostgreSQL is a former primary: the cache follows timeline %s already, this server is at %s. If "
            "it is meant to be the primary again: redis-cli HDEL " EPOCH_KEY " identity",
            facts->redis_identity, facts->identity);
    if (answer.err.status == ST_OK) {
        session->epoch = answer.epoch;
        return 0;
    }
    err_copy(err, &answer.err);
    return -1;
}

/* PostgreSQL remembers the epoch, too, for the day when Redis forgets it. */
int knowledge_remember_epoch(struct session *session, const struct knowledge *known, const char *dataset,
                             struct err *err)
{
    char epoch[24];
    const char *const params[] = {session->config->fleet, known->facts.identity, epoch, dataset};
    struct pg_query query = {
        .sql = "UPDATE pgusher.fleet SET identity = $2, epoch = $3, dataset = $4 WHERE name = $1",
        .params = params,
        .nparams = 4};

    snprintf(epoch, sizeof(epoch), "%lld", (long long)session->epoch);
    return pg_run(session->pg, &query, NULL, err);
}
