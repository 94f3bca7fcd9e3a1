/* pgusher backfill: following what was asked for until it is over, and, when the fleet has no worker, doing
 * it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/beside.h"
#include "cdc/progress.h"
#include "cdc/tasks.h"
#include "cdc/verb_backfill.h"
#include "common/clock.h"
#include "common/human.h"
#include "common/mem.h"
#include "queue/tool_output.h"

enum { LOOK_EVERY_MS = 100, PULSE_MS = 1000, ALONE_AFTER_LOOKS = 50 };

/* A worker that meets a changed source fails once, then reads it anew and goes on. */
enum { BEAR_MS = 1000 };

struct follow {
    struct backfill *backfill;
    struct asked_list *asked;
    struct tasks *tasks; /* NULL: workers do it */
    struct progress *progress;
    int64_t looked_ms;
    int64_t pulse_ms;
    int looks;
    bool told; /* something ended */
    bool said_alone;
    char *ended; /* head of the payload that says so */
};

enum row_column { PROJECTION, ASKED_AT, PHASE, DOCUMENTS, TOTAL, PAUSED, FAULT, REASON };

/* ---- what the database says ---- */

static struct asked *find(const struct follow *follow, const char *projection)
{
    for (size_t i = 0; i < follow->asked->count; i++)
        if (strcmp(follow->asked->list[i].projection, projection) == 0)
            return &follow->asked->list[i];
    return NULL;
}

static void take_pause(struct asked *asked, bool paused)
{
    if (paused != asked->paused)
        fprintf(stderr, "%s: %s\n", asked->projection, paused ? "paused; --resume lets it go on" : "goes on");
    asked->paused = paused;
}

static void take_fault(struct asked *asked, const char *fault)
{
    if (!asked->error)
        asked->failed_ms = clock_mono_ms();
    free(asked->error);
    asked->error = fault ? mem_strdup(fault) : NULL;
}

static void take_row(struct asked *asked, const struct pg_rows *rows, int row)
{
    const char *phase = pg_rows_get(rows, row, PHASE, NULL), *fault = pg_rows_get(rows, row, FAULT, NULL);
    const char *asked_at = pg_rows_get(rows, row, ASKED_AT, NULL);
    int64_t documents = atoll(pg_rows_get(rows, row, DOCUMENTS, NULL));

    if (strcmp(asked->asked_at, asked_at) != 0) {
        fprintf(stderr, "%s: replaced by another backfill: %s\n", asked->projection,
                pg_rows_get(rows, row, REASON, NULL));
        mem_replace(&asked->asked_at, asked_at);
    }
    asked->gone = false;
    asked->cancelled = strcmp(phase, "cancelled") == 0;
    asked->keys = strcmp(phase, "keys") == 0 ? documents : -1;
    asked->documents = asked->keys >= 0 ? 0 : documents;
    asked->total = atoll(pg_rows_get(rows, row, TOTAL, NULL));
    take_pause(asked, pg_rows_get(rows, row, PAUSED, NULL)[0] == 't');
    take_fault(asked, fault);
    asked->over = asked->cancelled || (fault && clock_mono_ms() - asked->failed_ms >= BEAR_MS);
}

/* Behind a transaction pooler nothing is heard. */
static void end_unheard(struct asked *asked)
{
    asked->over = true;
    take_fault(asked, NULL);
    if (asked->total > asked->documents)
        asked->documents = asked->total;
}

/* The word of its end comes with the answer after the one that misses the row. */
static int look(struct follow *follow, struct err *err)
{
    const struct backfill *backfill = follow->backfill;
    const char *const params[] = {backfill->config->fleet, backfill->names, backfill->filter};
    struct pg_query query = {
        .sql = "SELECT b.projection, b.asked_at, b.phase, b.documents, coalesce(b.total, -1), b.paused,"
               " coalesce(b.error, CASE WHEN p.broken_at IS NOT NULL THEN p.error END), b.reason"
               " FROM pgusher.backfill b LEFT JOIN pgusher.projection p ON p.fleet = b.fleet AND p.name = "
               "b.projection"
               " WHERE b.fleet = $1 AND b.projection = ANY ($2) AND b.filter = $3",
        .name = "follow",
        .params = params,
        .nparams = 3};
    struct pg_rows *rows = NULL;

    if (pg_run(backfill->session->pg, &query, &rows, err) != 0)
        return -1;
    for (size_t i = 0; i < follow->asked->count; i++) {
        struct asked *asked = &follow->asked->list[i];

        if (asked->gone && !asked->over)
            end_unheard(asked);
        asked->gone = true;
    }
    for (int row = 0; row < pg_rows_count(rows); row++)
        take_row(find(follow, pg_rows_get(rows, row, PROJECTION, NULL)), rows, row);
    pg_rows_free(rows);
    follow->looked_ms = clock_mono_ms();
    follow->told = false;
    return 0;
}

/* "done 500 asked_at", or "cancelled …". */
static void take_end(struct follow *follow, const char *text)
{
    char how[16];
    long long documents;
    int asked_at = 0;

    if (sscanf(text, "%15s %lld %n", how, &documents, &asked_at) != 2 || !asked_at)
        return;
    for (size_t i = 0; i < follow->asked->count; i++) {
        struct asked *asked = &follow->asked->list[i];

        if (strcmp(asked->asked_at, text + asked_at) != 0)
            continue;
        asked->over = true;
        take_fault(asked, NULL);
        asked->keys = -1;
        asked->documents = documents;
        asked->cancelled = strcmp(how, "cancelled") == 0;
        follow->told = true;
    }
}

static void on_told(void *arg, const char *payload)
{
    struct follow *follow = arg;

    if (follow->tasks)
        tasks_told(follow->tasks, payload);
    if (strncmp(payload, follow->ended, strlen(follow->ended)) == 0)
        take_end(follow, payload + strlen(follow->ended));
}

/* ---- showing ---- */

static bool is_over(const struct follow *follow)
{
    for (size_t i = 0; i < follow->asked->count; i++)
        if (!follow->asked->list[i].over)
            return false;
    return true;
}

static int64_t sum(const struct asked_list *asked, int64_t *ret_total, int64_t *ret_keys)
{
    int64_t documents = 0;

    *ret_total = *ret_keys = 0;
    for (size_t i = 0; i < asked->count; i++) {
        const struct asked *one = &asked->list[i];

        documents += one->documents;
        *ret_keys += one->keys > 0 ? one->keys : 0;
        if (one->total < 0 || *ret_total < 0)
            *ret_total = -1;
        else
            *ret_total += one->total;
    }
    return documents;
}

static void show(struct follow *follow)
{
    int64_t total, keys, documents = sum(follow->asked, &total, &keys);

    progress_aim(follow->progress, total);
    progress_keys(follow->progress, keys);
    progress_update(follow->progress, documents);
}

/* A fleet whose last worker went goes on when one comes. */
static int say_if_alone(struct follow *follow, struct err *err)
{
    if (follow->tasks || follow->said_alone || ++follow->looks % ALONE_AFTER_LOOKS)
        return 0;
    if (backfill_count_workers(follow->backfill, err) != 0)
        return -1;
    follow->said_alone = follow->backfill->workers == 0;
    if (follow->said_alone)
        fprintf(stderr, "no worker of fleet %s is at work any more; the backfill goes on when one is\n",
                follow->backfill->config->fleet);
    return 0;
}

/* ---- waiting and doing ---- */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int work(struct follow *follow, struct err *err)
{
    struct session *session = follow->backfill->session;
    int64_t now = clock_mono_ms(), left = tasks_ms_left(follow->tasks);

    if (now >= follow->pulse_ms + PULSE_MS) {
        beside_look(session);
        follow->pulse_ms = now;
    }
    if (left != 0) {
        session_wait(session, &follow->told, left < 0 ? LOOK_EVERY_MS : least(left, LOOK_EVERY_MS));
        return 0;
    }
    if (tasks_step(follow->tasks, err) == 0)
        return 0;
    if (err->status == ST_UNFIT)
        tasks_put_off(follow->tasks, err);
    return -1;
}

static int step(struct follow *follow, struct err *err)
{
    struct session *session = follow->backfill->session;

    if (follow->tasks && work(follow, err) != 0)
        return -1;
    if (!follow->tasks)
        session_wait(session, &follow->told, LOOK_EVERY_MS);
    if (session->lost) {
        err_copy(err, &session->why_lost);
        return -1;
    }
    if (!follow->told && clock_mono_ms() < follow->looked_ms + LOOK_EVERY_MS)
        return 0;
    if (look(follow, err) != 0 || say_if_alone(follow, err) != 0)
        return -1;
    show(follow);
    return 0;
}

static int follow_all(struct follow *follow, struct err *err)
{
    int result = look(follow, err);

    while (result == 0 && !is_over(follow) && !follow->backfill->interrupted)
        result = step(follow, err);
    return result;
}

/* ---- what came of it ---- */

static const char *state_of(const struct asked *asked)
{
    if (asked->error)
        return "fails";
    if (asked->cancelled)
        return "cancelled";
    if (asked->over)
        return "done";
    return asked->paused ? "paused" : asked->is_new ? "asked for" : "under way";
}

json_t *backfill_asked_json(const struct backfill *backfill, const struct asked_list *asked)
{
    json_t *list = json_array();

    for (size_t i = 0; i < asked->count; i++) {
        const struct asked *one = &asked->list[i];

        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:b, s:I, s:o, s:s?}", "projection", one->projection, "filter",
                            backfill->filter, "state", state_of(one), "new", one->is_new, "documents",
                            (json_int_t)one->documents, "total",
                            one->total < 0 ? json_null() : json_integer(one->total), "error", one->error));
    }
    return json_pack("{s:s, s:I, s:o}", "fleet", backfill->config->fleet, "workers",
                     (json_int_t)backfill->workers, "backfills", list);
}

static void print_end(const struct backfill *backfill, const struct asked_list *asked)
{
    if (backfill->tool->json) {
        output_json(backfill_asked_json(backfill, asked));
        return;
    }
    for (size_t i = 0; i < asked->count; i++)
        printf("%s: %s, %s\n", asked->list[i].projection, human_of(asked->list[i].documents, "document").text,
               state_of(&asked->list[i]));
}

static void judge(const struct backfill *backfill, const struct asked_list *asked, struct err *err)
{
    for (size_t i = 0; i < asked->count; i++) {
        const struct asked *one = &asked->list[i];

        if (one->error)
            err_set(err, ST_REFUSED, "the backfill of %s fails and is tried again now and then: %s",
                    one->projection, one->error);
        else if (one->cancelled)
            err_set(err, ST_REFUSED, "the backfill of %s was cancelled", one->projection);
    }
    if (backfill->interrupted)
        err_set(err, ST_REFUSED,
                backfill->workers
                    ? "not waited for its end: the backfill goes on; --wait again, or --cancel it"
                    : "interrupted: the backfill goes on where it is when this is started again, "
                      "or with the next worker; --cancel ends it");
}

/* Documents that could not be written since the first of these backfills was asked for. */
static int ask_refused(const struct backfill *backfill, const struct asked_list *asked, struct err *err)
{
    const char *first = asked->list[0].asked_at;
    struct pg_rows *rows = NULL;

    for (size_t i = 1; i < asked->count; i++)
        if (strcmp(asked->list[i].asked_at, first) < 0)
            first = asked->list[i].asked_at;
    {
        const char *const params[] = {backfill->config->fleet, backfill->names, first};
        struct pg_query query = {
            .sql = "SELECT count(*), min(key), (array_agg(error ORDER BY key))[1] FROM pgusher.quarantine"
                   " WHERE fleet = $1 AND projection = ANY ($2) AND last_at >= $3",
            .params = params,
            .nparams = 3};

        if (pg_run(backfill->session->pg, &query, &rows, err) != 0)
            return -1;
    }
    if (atoll(pg_rows_get(rows, 0, 0, NULL)))
        err_set(err, ST_REFUSED,
                "not all documents could be written: %s are in quarantine, the first is %s: %s",
                pg_rows_get(rows, 0, 0, NULL), pg_rows_get(rows, 0, 1, NULL), pg_rows_get(rows, 0, 2, NULL));
    pg_rows_free(rows);
    return err->status == ST_OK ? 0 : -1;
}

static void count_total(const struct backfill *backfill, struct asked *asked)
{
    int64_t projection = plan_find(backfill->session->plan, asked->projection);
    char text[24];
    const char *const params[] = {backfill->config->fleet, asked->projection, backfill->filter,
                                  asked->asked_at, text};
    struct pg_query query = {.sql = "UPDATE pgusher.backfill SET total = $5 WHERE fleet = $1"
                                    " AND projection = $2 AND filter = $3 AND asked_at = $4",
                             .params = params,
                             .nparams = 5};
    struct err ignored = ERR_NONE;

    if (projection >= 0 && asked->total < 0)
        asked->total = backfill_count(backfill->session, (size_t)projection, backfill->filter);
    snprintf(text, sizeof(text), "%lld", (long long)asked->total);
    if (asked->total >= 0)
        pg_run(backfill->session->pg, &query, NULL, &ignored);
}

int backfill_follow(struct backfill *backfill, struct asked_list *asked, struct err *err)
{
    struct tasks_scope scope = {backfill->names, backfill->filter};
    struct follow follow = {.backfill = backfill, .asked = asked};
    int64_t total, keys;
    int result;

    follow.ended = mem_printf("backfill %s ", backfill->session->number);
    backfill->session->told = on_told;
    backfill->session->arg = &follow;
    for (size_t i = 0; i < asked->count; i++)
        count_total(backfill, &asked->list[i]);
    if (!backfill->workers)
        follow.tasks = tasks_new(backfill->session, &scope);
    follow.progress = progress_new(asked->count == 1 ? asked->list[0].projection : "backfill",
                                   asked->count == 1 ? asked->list[0].total : -1);
    progress_from(follow.progress, sum(asked, &total, &keys));
    result = follow_all(&follow, err);
    progress_end(follow.progress, sum(asked, &total, &keys));
    tasks_free(follow.tasks);
    backfill->session->told = NULL;
    free(follow.ended);
    if (result == 0) {
        print_end(backfill, asked);
        judge(backfill, asked, err);
        result = err->status == ST_OK ? ask_refused(backfill, asked, err) : -1;
    }
    return result;
}
