#include "cdc/tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/batch.h"
#include "cdc/resync.h"
#include "cdc/sql/texts.h"
#include "cdc/task_note.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"

enum {
    LOOK_AGAIN_MS = 1000, /* while there are tasks that others do, or that cannot begin yet */
    BUSY_SHARE = 4,       /* while busy, pause this many times as long as the last step took */
};

enum {
    TASK_PROJECTION,
    TASK_PHASE,
    TASK_POSITION,
    TASK_DOCUMENTS,
    TASK_ASKED_AT,
    TASK_REASON,
    TASK_BEGUN,
    TASK_MINE
};

/* The task at hand. */
struct task {
    size_t projection;
    char *name;
    char *asked_at; /* tells it from one that replaced it */
    bool keys;      /* the phase */
    bool first;     /* what the last owner wrote may not be queued */
    bool again;     /* Redis fell back: as first, from the first document to the last */
    char **position;
    int64_t documents;
    struct resync_keys *walk;
};

struct tasks {
    struct session *session;
    struct task *task;
    bool look;       /* for tasks, at the next step */
    bool checked;    /* whether Redis has fallen back behind the end of one */
    bool pending;    /* there are some that this worker cannot do now */
    int64_t next_ms; /* when to look, or when to go on while busy */
    char *call;      /* the payload that says there are new ones */
};

struct tasks *tasks_new(struct session *session)
{
    struct tasks *tasks = mem_zalloc(sizeof(*tasks));

    tasks->session = session;
    tasks->look = true;
    tasks->call = mem_printf("tasks %s", session->number);
    return tasks;
}

static void drop_task(struct tasks *tasks)
{
    struct task *task = tasks->task;

    if (!task)
        return;
    reader_position_free(&tasks->session->plan->projections[task->projection], task->position);
    resync_keys_free(task->walk);
    free(task->name);
    free(task->asked_at);
    free(task);
    tasks->task = NULL;
}

void tasks_free(struct tasks *tasks)
{
    if (!tasks)
        return;
    drop_task(tasks);
    free(tasks->call);
    free(tasks);
}

void tasks_look_again(struct tasks *tasks)
{
    tasks->look = true;
}

void tasks_told(struct tasks *tasks, const char *payload)
{
    if (strcmp(payload, tasks->call) != 0)
        return;
    tasks->look = true;
    if (tasks->session->wake)
        tasks->session->wake(tasks->session->arg);
}

int64_t tasks_ms_left(const struct tasks *tasks, bool busy)
{
    int64_t left = tasks->next_ms - clock_mono_ms();

    if (tasks->task || tasks->look)
        return busy && left > 0 ? left : 0;
    if (!tasks->pending)
        return -1;
    return left > 0 ? left : 0;
}

/* ---- finding one ---- */

static int64_t find_projection(const struct plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->nprojections; i++)
        if (strcmp(plan->projections[i].config->name, name) == 0)
            return (int64_t)i;
    return -1;
}

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

static void take_task(struct tasks *tasks, const struct pg_rows *rows, int row)
{
    const char *name = pg_rows_get(rows, row, TASK_PROJECTION, NULL);
    struct task *task = mem_zalloc(sizeof(*task));
    int64_t projection = find_projection(tasks->session->plan, name);

    task->projection = (size_t)projection;
    task->name = mem_strdup(name);
    task->asked_at = mem_strdup(pg_rows_get(rows, row, TASK_ASKED_AT, NULL));
    task->keys = strcmp(pg_rows_get(rows, row, TASK_PHASE, NULL), "keys") == 0;
    task->documents = atoll(pg_rows_get(rows, row, TASK_DOCUMENTS, NULL));
    task->position = parse_position(&tasks->session->plan->projections[projection],
                                    pg_rows_get(rows, row, TASK_POSITION, NULL));
    task->first = pg_rows_get(rows, row, TASK_BEGUN, NULL)[0] == 't';
    tasks->task = task;
    log_info("backfill of %s %s: %s", name, task->first ? "taken up" : "begins",
             pg_rows_get(rows, row, TASK_REASON, NULL));
}

static struct task_state state_of(const struct task *task)
{
    return (struct task_state){
        .projection = task->name,
        .asked_at = task->asked_at,
        .phase = task->keys ? TASK_KEYS : TASK_ROWS,
        .documents = task->keys ? 0 : task->documents,
    };
}

/* Notes how far it is, beside the data first; when the task was replaced meanwhile, the database notes
 * nothing. */
static int write_progress(struct tasks *tasks, struct err *err)
{
    struct task *task = tasks->task;
    struct task_state state = state_of(task);
    size_t nid = tasks->session->plan->projections[task->projection].config->nid;
    char *position = task->position ? array_literal((const char *const *)task->position, nid) : NULL;
    char documents[24];
    const char *const params[] = {tasks->session->config->fleet, task->name, task->asked_at,
                                  task->keys ? "keys" : "rows",  position,   documents};
    struct pg_query query = {
        .sql = "UPDATE pgusher.backfill SET phase = $4, position = $5, documents = $6, moved_at = now()"
               " WHERE fleet = $1 AND projection = $2 AND asked_at = $3",
        .name = "task_progress",
        .params = params,
        .nparams = 6};
    int result;

    snprintf(documents, sizeof(documents), "%lld", (long long)task->documents);
    result = task_note_write(tasks->session, &state, err);
    if (result == 0)
        result = pg_run(tasks->session->pg, &query, NULL, err);
    free(position);
    return result;
}

/* What the database takes for done must be in Redis. */
static int check_progress(struct tasks *tasks, struct err *err)
{
    struct task *task = tasks->task;
    struct task_state state = state_of(task);
    bool holds = true;

    if (task->first && task_note_holds(tasks->session, &state, &holds, err) != 0)
        return -1;
    if (holds)
        return 0;
    log_warn("Redis fell back behind what the backfill of %s had written; it begins anew", task->name);
    reader_position_free(&tasks->session->plan->projections[task->projection], task->position);
    task->position = NULL;
    task->keys = task->again = true;
    task->documents = 0;
    return 0;
}

static bool is_asked_for(const struct pg_rows *rows, const char *projection)
{
    for (int row = 0; row < pg_rows_count(rows); row++)
        if (strcmp(pg_rows_get(rows, row, TASK_PROJECTION, NULL), projection) == 0)
            return true;
    return false;
}

static int ask_again(struct tasks *tasks, const char *projection, struct err *err)
{
    const char *const params[] = {tasks->session->config->fleet, projection, tasks->session->dataset};
    struct pg_query query = {
        .sql = "INSERT INTO pgusher.backfill (fleet, projection, reason, repair, phase)"
               " SELECT name, $2, 'Redis fell back behind the end of a backfill', true, 'keys'"
               " FROM pgusher.fleet WHERE name = $1 AND dataset = $3 ON CONFLICT DO NOTHING",
        .params = params,
        .nparams = 3};

    tasks->look = true;
    return pg_run(tasks->session->pg, &query, NULL, err);
}

/* A task that the database has forgotten, for it was done, but that is not done in the state that Redis is in
 * now. The note is read after the rows were: it is written before. */
static int check_forgotten(struct tasks *tasks, const struct pg_rows *rows, struct err *err)
{
    const struct plan *plan = tasks->session->plan;

    for (size_t i = 0; i < plan->nprojections && !tasks->checked; i++) {
        const char *name = plan->projections[i].config->name;
        bool open;

        if (is_asked_for(rows, name))
            continue;
        if (task_note_is_open(tasks->session, name, &open, err) != 0 ||
            (open && ask_again(tasks, name, err) != 0))
            return -1;
    }
    tasks->checked = true;
    return 0;
}

/* Of a task that was begun it must be seen that it was. */
static int look(struct tasks *tasks, struct err *err)
{
    char *names = plan_projection_names(tasks->session->plan);
    const char *const params[] = {tasks->session->config->fleet, names, tasks->session->dataset};
    struct pg_query query = {.sql = sql_claim_task, .name = "claim_task", .params = params, .nparams = 3};
    struct pg_rows *rows = NULL;
    int result = pg_run(tasks->session->pg, &query, &rows, err);

    free(names);
    if (result != 0)
        return -1;
    tasks->look = false;
    tasks->pending = pg_rows_count(rows) > 0;
    tasks->next_ms = clock_mono_ms() + LOOK_AGAIN_MS;
    for (int row = 0; row < pg_rows_count(rows) && !tasks->task; row++)
        if (pg_rows_get(rows, row, TASK_MINE, NULL)[0] == 't')
            take_task(tasks, rows, row);
    result = check_forgotten(tasks, rows, err);
    pg_rows_free(rows);
    if (result != 0 || !tasks->task)
        return result;
    return check_progress(tasks, err) == 0 ? write_progress(tasks, err) : -1;
}

/* ---- doing it ---- */

static int unlock(struct tasks *tasks, struct err *err)
{
    const char *const params[] = {tasks->session->config->fleet, tasks->task->name};
    struct pg_query query = {.sql = "SELECT pg_advisory_unlock(1885828471, hashtext($1 || '/' || $2))",
                             .params = params,
                             .nparams = 2};

    return pg_run(tasks->session->pg, &query, NULL, err);
}

static int finish(struct tasks *tasks, struct err *err)
{
    struct task *task = tasks->task;
    struct task_state state = state_of(task);
    const char *const params[] = {tasks->session->config->fleet, task->name, task->asked_at};
    struct pg_query query = {
        .sql = "DELETE FROM pgusher.backfill WHERE fleet = $1 AND projection = $2 AND asked_at = $3",
        .params = params,
        .nparams = 3};

    state.phase = TASK_DONE;
    if (task_note_write(tasks->session, &state, err) != 0 ||
        pg_run(tasks->session->pg, &query, NULL, err) != 0 || unlock(tasks, err) != 0)
        return -1;
    log_info("backfill of %s is done: %lld documents", task->name, (long long)task->documents);
    drop_task(tasks);
    tasks->look = true;
    return 0;
}

static int step_keys(struct tasks *tasks, struct err *err)
{
    struct task *task = tasks->task;
    bool done;

    if (!task->walk)
        task->walk = resync_keys_new(tasks->session, task->projection, task->first || task->again);
    if (resync_keys_step(task->walk, &done, err) != 0)
        return -1;
    task->documents = resync_keys_seen(task->walk);
    if (done) {
        resync_keys_free(task->walk);
        task->walk = NULL;
        task->keys = task->first = false;
        task->documents = 0;
    }
    return write_progress(tasks, err);
}

static int step_rows(struct tasks *tasks, struct err *err)
{
    struct task *task = tasks->task;
    size_t count;

    if (resync_rows_step(tasks->session, task->projection, task->first || task->again, &task->position,
                         &count, err) != 0)
        return -1;
    task->first = false;
    task->documents += (int64_t)count;
    return count < PLAN_CHUNK ? finish(tasks, err) : write_progress(tasks, err);
}

int tasks_step(struct tasks *tasks, struct err *err)
{
    int64_t began = clock_mono_ms(), now;
    int result;

    if (!tasks->task)
        return look(tasks, err);
    result = tasks->task->keys ? step_keys(tasks, err) : step_rows(tasks, err);
    now = clock_mono_ms();
    tasks->next_ms = now + BUSY_SHARE * (now - began);
    return result;
}
