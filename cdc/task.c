#include "cdc/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/reader.h"
#include "cdc/sql/texts.h"
#include "common/clock.h"
#include "common/human.h"
#include "common/log.h"
#include "common/pg_error.h"
#include "common/mem.h"

enum {
    NOTE_EVERY_MS = 200, /* how far it is, or after so many documents: */
    NOTE_EVERY =
        RESYNC_MOST, /* with the step at hand a task is never further than twice that beyond its note */
};

/* How long a task is left alone that failed for a reason of its own. */
#define PUT_OFF "1 minute"

static const struct plan_projection *plan_of(const struct session *session, const struct task *task)
{
    return &session->plan->projections[task->projection];
}

/* ---- taking one ---- */

static char **parse_position(const struct plan_projection *plan, const char *array)
{
    char **position;
    size_t count;

    if (!array)
        return NULL;
    count = array_parse(array, &position);
    if (count == plan->config->nid)
        return position;
    for (size_t i = 0; i < count; i++)
        free(position[i]);
    free(position);
    return NULL; /* the id has other columns by now: from the first one on */
}

static int64_t integer_of(const struct pg_rows *rows, int row, int column)
{
    return atoll(pg_rows_get(rows, row, column, NULL));
}

static bool is_true(const struct pg_rows *rows, int row, int column)
{
    return pg_rows_get(rows, row, column, NULL)[0] == 't';
}

struct task *task_take(struct session *session, const struct pg_rows *rows, int row)
{
    struct task *task = mem_zalloc(sizeof(*task));
    const char *phase = pg_rows_get(rows, row, TASK_PHASE, NULL);

    task->name = mem_strdup(pg_rows_get(rows, row, TASK_PROJECTION, NULL));
    task->projection = (size_t)plan_find(session->plan, task->name); /* it was claimed by the plan's names */
    task->filter = mem_strdup(pg_rows_get(rows, row, TASK_FILTER, NULL));
    task->asked_at = mem_strdup(pg_rows_get(rows, row, TASK_ASKED_AT, NULL));
    task->lock = mem_strdup(pg_rows_get(rows, row, TASK_LOCK, NULL));
    task->phase = strcmp(phase, "keys") == 0 ? TASK_KEYS : TASK_ROWS;
    task->cancelled = strcmp(phase, "cancelled") == 0;
    task->repair = is_true(rows, row, TASK_REPAIR);
    task->documents = task->noted = integer_of(rows, row, TASK_DOCUMENTS);
    task->total = integer_of(rows, row, TASK_TOTAL);
    task->rate = integer_of(rows, row, TASK_RATE);
    task->position = parse_position(plan_of(session, task), pg_rows_get(rows, row, TASK_POSITION, NULL));
    task->first = is_true(rows, row, TASK_BEGUN) ? 2 * NOTE_EVERY : 0;
    task->due_ms = clock_mono_ms();
    if (!task->cancelled)
        log_info("backfill of %s%s%s %s: %s", task->name, *task->filter ? " where " : "", task->filter,
                 task->first ? "taken up" : "begins", pg_rows_get(rows, row, TASK_REASON, NULL));
    return task;
}

void task_free(struct session *session, struct task *task)
{
    if (!task)
        return;
    reader_position_free(plan_of(session, task), task->position);
    resync_keys_free(task->walk);
    free(task->name);
    free(task->filter);
    free(task->asked_at);
    free(task->lock);
    free(task);
}

int task_unlock(struct session *session, const struct task *task, struct err *err)
{
    const char *const params[] = {task->lock};
    struct pg_query query = {
        .sql = "SELECT pg_advisory_unlock(1885828471, $1)", .params = params, .nparams = 1};

    return pg_run(session->pg, &query, NULL, err);
}

/* ---- how far it is ---- */

static int note(struct session *session, const struct task *task, enum task_phase phase, struct err *err)
{
    struct task_state state = {.projection = task->name,
                               .asked_at = task->asked_at,
                               .phase = phase,
                               .documents = phase == TASK_ROWS ? task->documents : 0};

    return *task->filter ? 0 : task_note_write(session, &state, err);
}

int64_t task_estimate(struct session *session, size_t projection, const char *filter)
{
    char *all = plan_sql_all(&session->plan->projections[projection], "1", filter);
    char *sql = mem_printf("EXPLAIN %s", all);
    struct pg_query query = {.sql = sql};
    struct pg_rows *rows = NULL;
    struct err ignored = ERR_NONE;
    const char *found = NULL;
    int64_t total;

    if (pg_run(session->pg, &query, &rows, &ignored) == 0)
        found = strstr(pg_rows_get(rows, 0, 0, NULL), " rows=");
    total = found ? atoll(found + strlen(" rows=")) : -1;
    pg_rows_free(rows);
    free(sql);
    free(all);
    return total;
}

static int move(struct session *session, struct task *task, bool *ret_over, struct err *err)
{
    size_t nid = plan_of(session, task)->config->nid;
    char *position = task->position ? array_literal((const char *const *)task->position, nid) : NULL;
    char *documents = mem_printf("%lld", (long long)task->documents);
    char *total = mem_printf("%lld", (long long)task->total);
    const char *const params[] = {session->config->fleet,
                                  task->name,
                                  task->filter,
                                  task->asked_at,
                                  task->phase == TASK_KEYS ? "keys" : "rows",
                                  position,
                                  documents,
                                  task->total >= 0 ? total : NULL};
    struct pg_query query = {.sql = sql_move_task, .name = "move_task", .params = params, .nparams = 8};
    struct pg_rows *rows = NULL;
    int result = pg_run(session->pg, &query, &rows, err);

    if (result == 0) {
        *ret_over = pg_rows_count(rows) == 0 || is_true(rows, 0, 0);
        if (pg_rows_count(rows))
            task->rate = integer_of(rows, 0, 1);
        if (*ret_over)
            log_info("backfill of %s: %s", task->name,
                     pg_rows_count(rows) ? "paused" : "cancelled, or replaced by another one");
    }
    pg_rows_free(rows);
    free(total);
    free(documents);
    free(position);
    return result;
}

static int write_progress(struct session *session, struct task *task, bool *ret_over, struct err *err)
{
    task->noted = task->documents;
    task->noted_ms = clock_mono_ms();
    if (note(session, task, task->phase, err) != 0)
        return -1;
    return move(session, task, ret_over, err);
}

/* ---- beginning ---- */

static void begin_anew(struct session *session, struct task *task)
{
    reader_position_free(plan_of(session, task), task->position);
    task->position = NULL;
    task->phase = TASK_KEYS;
    task->again = true;
    task->documents = 0;
}

/* What the database takes for done must be in Redis: of this one, and of the one before it. */
static int check_note(struct session *session, struct task *task, struct err *err)
{
    struct task_state state = {task->name, task->asked_at, task->phase, task->documents};
    bool holds = true, open = false;

    if (*task->filter)
        return 0;
    if (task->first && task_note_holds(session, &state, &holds, err) != 0)
        return -1;
    if (!task->first && !task->repair && task_note_is_open(session, task->name, &open, err) != 0)
        return -1;
    if (holds && !open)
        return 0;
    log_warn("Redis fell back behind what the backfill of %s had written; it begins anew", task->name);
    begin_anew(session, task);
    return 0;
}

/* Its last owner may have put it away after it was seen and before it was locked. */
static int is_there(struct session *session, const struct task *task, bool *ret_there, struct err *err)
{
    const char *const params[] = {session->config->fleet, task->name, task->filter, task->asked_at};
    struct pg_query query = {.sql = "SELECT FROM pgusher.backfill WHERE fleet = $1 AND projection = $2"
                                    " AND filter = $3 AND asked_at = $4",
                             .params = params,
                             .nparams = 4};
    struct pg_rows *rows = NULL;
    int result = pg_run(session->pg, &query, &rows, err);

    *ret_there = result == 0 && pg_rows_count(rows) > 0;
    pg_rows_free(rows);
    return result;
}

/* ---- ending ---- */

static int put_away(struct session *session, const struct task *task, const char *how, struct err *err)
{
    char *documents = mem_printf("%lld", (long long)task->documents);
    const char *const params[] = {session->config->fleet, task->name, task->filter,
                                  task->asked_at,         how,        documents};
    struct pg_query query = {.sql = sql_end_task, .params = params, .nparams = 6};
    int result = note(session, task, TASK_DONE, err);

    if (result == 0)
        result = pg_run(session->pg, &query, NULL, err);
    free(documents);
    if (result == 0)
        log_info("backfill of %s%s%s is %s: %s", task->name, *task->filter ? " where " : "", task->filter,
                 how, human_of(task->documents, "document").text);
    return result;
}

int task_put_off(struct session *session, struct task *task, const struct err *why, struct err *err)
{
    const char *const params[] = {session->config->fleet, task->name, task->filter, task->asked_at,
                                  why->text};
    struct pg_query query = {
        .sql = "UPDATE pgusher.backfill SET error = $5, next_at = now() + interval '" PUT_OFF "'"
               " WHERE fleet = $1 AND projection = $2 AND filter = $3 AND asked_at = $4",
        .params = params,
        .nparams = 5};

    log_error("backfill of %s%s%s fails, and is tried again in " PUT_OFF ": %s", task->name,
              *task->filter ? " where " : "", task->filter, pg_error_for_log(why->text).text);
    return pg_run(session->pg, &query, NULL, err);
}

int task_begin(struct session *session, struct task *task, bool *ret_over, struct err *err)
{
    bool there;

    if (is_there(session, task, &there, err) != 0)
        return -1;
    *ret_over = !there || task->cancelled;
    if (*ret_over)
        return there ? put_away(session, task, "cancelled", err) : 0;
    if (check_note(session, task, err) != 0)
        return -1;
    if (task->total < 0)
        task->total = task_estimate(session, task->projection, task->filter);
    return write_progress(session, task, ret_over, err);
}

/* ---- doing it ---- */

static int step_keys(struct session *session, struct task *task, int limit, bool *ret_over, struct err *err)
{
    bool done;

    if (!task->walk)
        task->walk = resync_keys_new(session, task->projection, task->first > 0 || task->again);
    if (resync_keys_step(task->walk, limit, &done, err) != 0)
        return -1;
    task->documents = resync_keys_seen(task->walk);
    if (done) {
        resync_keys_free(task->walk);
        task->walk = NULL;
        task->phase = TASK_ROWS;
        task->first = task->documents = 0;
    }
    return write_progress(session, task, ret_over, err);
}

/* Of a filter that fails nothing can be said but that; a session begun anew would not help. */
static bool is_own_fault(const struct task *task, const struct err *why)
{
    return why->status == ST_REFUSED ||
           (*task->filter && (why->status == ST_CONFIG || why->status == ST_UNFIT));
}

static int step_rows(struct session *session, struct task *task, int limit, bool *ret_over, struct err *err)
{
    struct resync_step step = {.projection = task->projection,
                               .stretch = {task->filter, limit},
                               .most = limit == PLAN_CHUNK && !task->rate ? RESYNC_MOST : (size_t)limit,
                               .queue_all = task->first > 0 || task->again};
    struct err why = ERR_NONE;

    if (resync_rows_step(session, &step, &task->position, &why) != 0) {
        *ret_over = is_own_fault(task, &why);
        if (*ret_over)
            return task_put_off(session, task, &why, err);
        err_copy(err, &why);
        return -1;
    }
    task->first -= task->first ? (int64_t)step.count : 0;
    task->documents += (int64_t)step.count;
    *ret_over = step.done;
    if (*ret_over)
        return put_away(session, task, "done", err);
    if (task->documents - task->noted < NOTE_EVERY && clock_mono_ms() - task->noted_ms < NOTE_EVERY_MS)
        return 0;
    return write_progress(session, task, ret_over, err);
}

/* What came too late is made up for, within a second. */
static void set_due(struct task *task, int64_t began_ms, int64_t count)
{
    if (task->due_ms < began_ms - 1000 || !task->rate)
        task->due_ms = began_ms;
    if (task->rate)
        task->due_ms += count * 1000 / task->rate;
}

int task_step(struct session *session, struct task *task, int limit, bool *ret_over, struct err *err)
{
    int64_t began = clock_mono_ms(), before = task->documents;
    int result;

    *ret_over = false;
    if (task->phase == TASK_KEYS)
        result = step_keys(session, task, limit, ret_over, err);
    else
        result = step_rows(session, task, limit, ret_over, err);
    pace_took(&task->pace, limit, task->documents - before, clock_mono_ms() - began);
    set_due(task, began, task->documents - before);
    return result;
}
