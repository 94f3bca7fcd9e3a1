#include "cdc/tasks.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/sql/texts.h"
#include "cdc/task.h"
#include "common/clock.h"
#include "common/mem.h"

enum {
    LOOK_AGAIN_MS = 1000, /* while there are tasks that others do, or that cannot begin yet */
    LOOK_DEAF_MS = 5000,  /* when nothing is there, and nobody can tell of new ones */
    YIELD_MS = 3000,      /* after a live change steps are short for so long … */
    YIELD_SHARE = 4,      /* … with a pause between them this many times as long as the last step took */
    REPAIR_SHARE = 1,     /* … when the cache is not right before it is done */
    LAG_MAX_MS = 500,     /* what is made up for at a time when live changes took longer than that */
};

struct tasks {
    struct session *session;
    const struct tasks_scope *scope;
    struct task *first; /* at hand */
    bool look;          /* for tasks, at the next step */
    bool checked;       /* whether Redis has fallen back behind the end of one */
    int64_t look_ms;    /* when those should be looked at that cannot be done now; -1: there are none */
    bool needed;        /* of all at the last look */
    int64_t next_ms;    /* when to go on while live changes come */
    int64_t yielded_ms;
    char *call; /* the payload that says there are new ones */
    struct task *unfit;
};

struct tasks *tasks_new(struct session *session, const struct tasks_scope *scope)
{
    struct tasks *tasks = mem_zalloc(sizeof(*tasks));

    tasks->session = session;
    tasks->scope = scope;
    tasks->look = true;
    tasks->look_ms = -1;
    tasks->yielded_ms = -YIELD_MS;
    tasks->call = mem_printf("tasks %s", session->number);
    return tasks;
}

static void drop(struct tasks *tasks, struct task *task)
{
    struct task **link = &tasks->first;

    while (*link != task)
        link = &(*link)->next;
    *link = task->next;
    task_free(tasks->session, task);
}

void tasks_free(struct tasks *tasks)
{
    if (!tasks)
        return;
    while (tasks->first)
        drop(tasks, tasks->first);
    free(tasks->call);
    free(tasks);
}

int tasks_ask_repair(struct session *session, const char *const *projections, size_t count,
                     const char *reason, bool queue_all, struct err *err)
{
    char *names = array_literal(projections, count);
    const char *const params[] = {session->config->fleet, names, reason, queue_all ? "t" : "f"};
    struct pg_query query = {.sql = sql_ask_repair, .params = params, .nparams = 4};
    int result = pg_run(session->pg, &query, NULL, err);

    free(names);
    return result;
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

void tasks_yield(struct tasks *tasks)
{
    tasks->yielded_ms = clock_mono_ms();
}

bool tasks_are_needed(const struct tasks *tasks)
{
    return tasks->look || tasks->needed;
}

static bool yields(const struct tasks *tasks)
{
    return clock_mono_ms() - tasks->yielded_ms < YIELD_MS;
}

bool tasks_lag(const struct tasks *tasks)
{
    return yields(tasks) && tasks_ms_left(tasks) == 0 && clock_mono_ms() > tasks->next_ms;
}

/* One that is held back leaves time for another one. */
static bool wants_more(const struct tasks *tasks)
{
    for (const struct task *task = tasks->first; task; task = task->next)
        if (!task->rate)
            return false;
    return true;
}

/* When to look for tasks; -1: not now. */
static int64_t look_due(const struct tasks *tasks)
{
    if (!wants_more(tasks))
        return -1;
    return tasks->look ? 0 : tasks->look_ms;
}

static struct task *next_due(const struct tasks *tasks)
{
    struct task *due = tasks->first;

    for (struct task *task = due; task; task = task->next)
        if (task->due_ms < due->due_ms)
            due = task;
    return due;
}

int64_t tasks_ms_left(const struct tasks *tasks)
{
    const struct task *task = next_due(tasks);
    int64_t at = look_due(tasks), left;

    if (task && (at < 0 || task->due_ms < at))
        at = task->due_ms;
    if (at < 0)
        return -1;
    if (yields(tasks) && at < tasks->next_ms)
        at = tasks->next_ms;
    left = at - clock_mono_ms();
    return left > 0 ? left : 0;
}

/* ---- finding one ---- */

static bool is_asked_for(const struct pg_rows *rows, const char *projection)
{
    for (int row = 0; row < pg_rows_count(rows); row++)
        if (strcmp(pg_rows_get(rows, row, TASK_PROJECTION, NULL), projection) == 0 &&
            *pg_rows_get(rows, row, TASK_FILTER, NULL) == '\0')
            return true;
    return false;
}

/* What Redis holds may have been written and not queued yet: the row looks as if a run had begun. */
static int ask_again(struct tasks *tasks, const char *projection, struct err *err)
{
    const char *const params[] = {tasks->session->config->fleet, projection, tasks->session->dataset};
    struct pg_query query = {
        .sql = "INSERT INTO pgusher.backfill (fleet, projection, reason, repair, phase, moved_at)"
               " SELECT name, $2, 'Redis fell back behind the end of a backfill', true, 'keys',"
               "        now() + interval '1 microsecond'"
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

    for (size_t i = 0; i < plan->nprojections && !tasks->checked && !tasks->scope; i++) {
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

static char *locks_at_hand(const struct tasks *tasks)
{
    struct buf locks = BUF_NONE;

    buf_putc(&locks, '{');
    for (const struct task *task = tasks->first; task; task = task->next)
        buf_printf(&locks, "%s%s", task == tasks->first ? "" : ",", task->lock);
    buf_putc(&locks, '}');
    return buf_take(&locks);
}

static struct pg_rows *claim(struct tasks *tasks, struct err *err)
{
    const struct tasks_scope *scope = tasks->scope;
    char *names = scope ? mem_strdup(scope->projections) : plan_whole_names(tasks->session->plan);
    char *locks = locks_at_hand(tasks);
    const char *const params[] = {tasks->session->config->fleet, names, tasks->session->dataset,
                                  scope ? scope->filter : NULL, locks};
    struct pg_query query = {.sql = sql_claim_task, .name = "claim_task", .params = params, .nparams = 5};
    struct pg_rows *rows = NULL;

    pg_run(tasks->session->pg, &query, &rows, err);
    free(locks);
    free(names);
    return rows;
}

/* When to look again at those that are not ours: soon, or when the first of them may be claimed. */
static void plan_next_look(struct tasks *tasks, const struct pg_rows *rows)
{
    int64_t now = clock_mono_ms();

    tasks->look = false;
    tasks->look_ms = tasks->session->deaf ? now + LOOK_DEAF_MS : -1;
    tasks->needed = false;
    for (int row = 0; row < pg_rows_count(rows); row++) {
        const char *wait = pg_rows_get(rows, row, TASK_WAIT_MS, NULL);
        int64_t ms = wait && atoll(wait) > LOOK_AGAIN_MS ? atoll(wait) : LOOK_AGAIN_MS;

        tasks->needed |= pg_rows_get(rows, row, TASK_REPAIR, NULL)[0] == 't';
        if (wait && (tasks->look_ms < 0 || now + ms < tasks->look_ms))
            tasks->look_ms = now + ms;
    }
    for (const struct task *task = tasks->first; task; task = task->next)
        tasks->needed |= task->repair;
}

/* It is over for this session. */
static int put_down(struct tasks *tasks, struct task *task, struct err *err)
{
    int result = task_unlock(tasks->session, task, err);

    drop(tasks, task);
    tasks->look = true;
    return result;
}

static int take(struct tasks *tasks, const struct pg_rows *rows, int row, struct err *err)
{
    struct task *task = task_take(tasks->session, rows, row);
    bool over = false;

    tasks->next_ms = clock_mono_ms();
    task->next = tasks->first;
    tasks->first = task;
    if (task_begin(tasks->session, task, &over, err) != 0)
        return -1;
    return over ? put_down(tasks, task, err) : 0;
}

static int look(struct tasks *tasks, struct err *err)
{
    struct pg_rows *rows = claim(tasks, err);
    int result = 0;

    if (!rows)
        return -1;
    plan_next_look(tasks, rows);
    for (int row = 0; row < pg_rows_count(rows) && result == 0; row++)
        if (pg_rows_get(rows, row, TASK_MINE, NULL)[0] == 't')
            result = take(tasks, rows, row, err);
    if (result == 0)
        result = check_forgotten(tasks, rows, err);
    pg_rows_free(rows);
    return result;
}

/* ---- doing them ---- */

/* Live changes wait while a step is made, and a rate is one of small steps. */
static int choose_limit(const struct tasks *tasks, const struct task *task)
{
    int limit = yields(tasks) ? pace_choose(&task->pace) : PLAN_CHUNK;

    while (task->rate && limit > task->rate && limit > PACE_SMALL)
        limit /= 10;
    return limit;
}

size_t tasks_unfit(const struct tasks *tasks)
{
    return tasks->unfit->projection;
}

void tasks_put_off(struct tasks *tasks, const struct err *why)
{
    struct err failed = ERR_NONE;

    if (task_put_off(tasks->session, tasks->unfit, why, &failed) != 0 ||
        put_down(tasks, tasks->unfit, &failed) != 0)
        session_lose(tasks->session, &failed);
}

/* After a step that began then. */
static void plan_next_step(struct tasks *tasks, int64_t began, int share)
{
    int64_t now = clock_mono_ms(), due = tasks->next_ms;

    if (due < began - LAG_MAX_MS)
        due = began - LAG_MAX_MS;
    tasks->next_ms = yields(tasks) ? due + (1 + share) * (now - began) : now;
}

int tasks_step(struct tasks *tasks, struct err *err)
{
    int64_t began = clock_mono_ms(), at = look_due(tasks);
    struct task *task = next_due(tasks);
    bool over = false;
    int result, share;

    if (at >= 0 && at <= began)
        return look(tasks, err);
    if (!task || task->due_ms > began)
        return 0;
    share = task->repair ? REPAIR_SHARE : YIELD_SHARE;
    result = task_step(tasks->session, task, choose_limit(tasks, task), &over, err);
    if (result == 0 && over)
        result = put_down(tasks, task, err);
    else if (result != 0)
        tasks->unfit = task;
    plan_next_step(tasks, began, share);
    return result;
}
