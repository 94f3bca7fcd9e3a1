#include "cdc/resume.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "cdc/resume_private.h"
#include "cdc/sql/texts.h"
#include "common/log.h"
#include "common/mem.h"

/* ---- going on, or anew ---- */

static int lock(struct session *session, bool taken, struct err *err)
{
    const char *const params[] = {session->number};
    struct pg_query query = {.sql = taken ? "SELECT pg_advisory_lock(1885828470, 1024 + $1::integer)"
                                          : "SELECT pg_advisory_unlock(1885828470, 1024 + $1::integer)",
                             .params = params,
                             .nparams = 1};

    return pg_run(session->pg, &query, NULL, err);
}

static char *new_dataset(void)
{
    unsigned char bytes[8] = {0};
    struct buf name = BUF_NONE;

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        abort();
    for (size_t i = 0; i < sizeof(bytes); i++)
        buf_printf(&name, "%02x", bytes[i]);
    return buf_take(&name);
}

/* In Redis, after PostgreSQL: who dies in between leaves two datasets that differ, and the next one begins
 * again. */
static int begin_record(struct session *session, const char *dataset, struct err *err)
{
    struct cursor *cursors = mem_zalloc(sizeof(*cursors) * MAX_PARTITIONS);
    int result = position_load_all_from_pg(session, cursors, err);

    if (result == 0)
        result = beside_begin(session, dataset, cursors, err);
    for (int i = 0; i < session->partitions; i++)
        cursor_free(&cursors[i]);
    free(cursors);
    return result;
}

static int begin_anew(struct session *session, const struct knowledge *known, bool back_in_time,
                      const char *why, struct err *err)
{
    char *dataset, *projections, epoch[24];
    bool contents_lost = resume_differ(known->facts.redis_dataset, known->facts.pg_dataset);
    struct pg_query query = {.sql = sql_begin_anew, .nparams = 8};
    int result;

    if (knowledge_settle_epoch(session, known, back_in_time, err) != 0)
        return -1;
    snprintf(epoch, sizeof(epoch), "%lld", (long long)session->epoch);
    dataset = new_dataset();
    projections = plan_projection_names(session->plan);
    query.params = (const char *const[]){session->config->fleet,
                                         dataset,
                                         known->facts.identity,
                                         epoch,
                                         projections,
                                         why,
                                         contents_lost ? "t" : "f",
                                         session->changes_lost ? "t" : "f"};
    result = pg_run(session->pg, &query, NULL, err);
    if (result == 0)
        result = begin_record(session, dataset, err);
    if (result == 0) {
        log_warn("%s; bringing all documents in step (epoch %s)", why, epoch);
        mem_replace(&session->dataset, dataset);
        session->ordinal = 0;
    }
    free(projections);
    free(dataset);
    return result;
}

static int go_on(struct session *session, const struct knowledge *known, struct err *err)
{
    const struct resume_facts *facts = &known->facts;

    if (knowledge_settle_epoch(session, known, false, err) != 0)
        return -1;
    mem_replace(&session->dataset, facts->pg_dataset);
    if (session->epoch == known->pg_epoch && facts->pg_identity)
        return 0;
    return knowledge_remember_epoch(session, known, facts->pg_dataset, err);
}

static const char *reason_of(enum resume_verdict verdict, const struct resume_facts *facts)
{
    if (verdict == RESUME_NEW_HISTORY)
        return "PostgreSQL has another history than before (promoted, restored or moved)";
    if (verdict == RESUME_BACK_IN_TIME)
        return "PostgreSQL went back in time (restored, or transactions were lost in a crash)";
    return facts->pg_dataset ? "Redis lost its contents or is another one"
                             : "Redis was not filled by this fleet yet";
}

/* Others may have done it while we waited for the lock. */
static int settle_under_lock(struct session *session, struct knowledge *known, struct err *err)
{
    enum resume_verdict verdict;

    if (knowledge_learn(session, known, err) != 0)
        return -1;
    verdict = resume_judge(&known->facts);
    if (verdict == RESUME_GO_ON)
        return go_on(session, known, err);
    return begin_anew(session, known, verdict == RESUME_BACK_IN_TIME, reason_of(verdict, &known->facts), err);
}

static int refuse_stranger(struct session *session, struct err *err)
{
    char *database;

    if (beside_stranger(session, &database, err) != 0)
        return -1;
    if (database && resume_differ(database, session->former_database))
        err_set(err, ST_AGAIN,
                "fleet \"%s\" of another database (%s) is at work in this Redis; give one of them another "
                "name, or "
                "stop the other one's workers",
                session->config->fleet, database);
    free(database);
    return err->status == ST_OK ? 0 : -1;
}

static int settle(struct session *session, bool is_worker, struct knowledge *known, struct err *err)
{
    enum resume_verdict verdict;

    if (knowledge_learn(session, known, err) != 0)
        return -1;
    verdict = resume_judge(&known->facts);
    if (verdict == RESUME_GO_ON)
        return go_on(session, known, err);
    if (refuse_stranger(session, err) != 0)
        return -1;
    if (verdict == RESUME_NEW_CONTENTS && !is_worker)
        return knowledge_settle_epoch(session, known, false, err);
    if (lock(session, true, err) != 0 || settle_under_lock(session, known, err) != 0)
        return -1; /* the lock goes with the session */
    return lock(session, false, err);
}

int resume_settle(struct session *session, bool is_worker, struct err *err)
{
    struct knowledge known = {0};
    int result = settle(session, is_worker, &known, err);

    knowledge_forget(&known);
    return result;
}

int resume_anew(struct session *session, const char *why, struct err *err)
{
    struct knowledge known = {0};
    int result = -1;

    if (lock(session, true, err) == 0 && knowledge_learn(session, &known, err) == 0) {
        /* Another dataset: somebody was faster. */
        result = resume_differ(known.facts.pg_dataset, session->dataset)
                     ? 0
                     : begin_anew(session, &known, false, why, err);
        if (result == 0)
            result = lock(session, false, err);
    }
    knowledge_forget(&known);
    return result;
}

int resume_cover(struct session *session, struct err *err)
{
    struct beside beside;
    int result;

    if (lock(session, true, err) != 0 || beside_read(session, &beside, err) != 0)
        return -1;
    free(beside.dataset);
    result = beside_is_uncovered(session) ? beside_cover(session, err) : 0;
    return result == 0 ? lock(session, false, err) : -1;
}
