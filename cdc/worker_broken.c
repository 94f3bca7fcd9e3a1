#include "cdc/worker_broken.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/probe.h"
#include "cdc/worker_broken_note.h"
#include "common/backoff.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"

enum { PROBE_FIRST_MS = 1000, PROBE_LAST_MS = 60000 };

/* What is known of a projection that ever failed, by its name: it outlives sessions and configurations. */
struct ailment {
    char *name;
    char *said;        /* the reason that was logged last */
    bool stale;        /* it failed though nothing is wrong with it, so the plan was read anew … */
    char *chore_shape; /* … or a chore did, with a plan of this shape */
    struct backoff backoff;
    int64_t probed_ms; /* monotonic: when it was found broken last … */
    int64_t probe_ms;  /* … and when to look again */
};

struct broken {
    bool strict;
    struct session *session; /* NULL between sessions */
    struct ailment *list;
    size_t count;
    size_t capacity;
    char *call; /* the payload that says that another worker noted something */
    bool look;  /* at what the others noted */
};

struct broken *broken_new(bool strict)
{
    struct broken *broken = mem_zalloc(sizeof(*broken));

    broken->strict = strict;
    return broken;
}

void broken_free(struct broken *broken)
{
    if (!broken)
        return;
    for (size_t i = 0; i < broken->count; i++) {
        free(broken->list[i].name);
        free(broken->list[i].said);
        free(broken->list[i].chore_shape);
    }
    free(broken->list);
    free(broken->call);
    free(broken);
}

static const struct plan_projection *projection_of(const struct broken *broken, size_t projection)
{
    return &broken->session->plan->projections[projection];
}

static struct ailment *find(const struct broken *broken, const char *name)
{
    for (size_t i = 0; i < broken->count; i++)
        if (strcmp(broken->list[i].name, name) == 0)
            return &broken->list[i];
    return NULL;
}

static struct ailment *ailment_of(struct broken *broken, size_t projection)
{
    const char *name = projection_of(broken, projection)->config->name;
    struct ailment *ailment = find(broken, name);

    if (ailment)
        return ailment;
    broken->list = mem_grow(broken->list, broken->count, &broken->capacity, sizeof(*broken->list));
    ailment = &broken->list[broken->count++];
    *ailment = (struct ailment){.name = mem_strdup(name)};
    backoff_init(&ailment->backoff, PROBE_FIRST_MS, PROBE_LAST_MS);
    return ailment;
}

/* ---- becoming broken ---- */

static void say(struct ailment *ailment, const char *why)
{
    if (ailment->said && strcmp(ailment->said, why) == 0)
        return;
    mem_replace(&ailment->said, why);
    log_error("projection %s is broken: %s; the others go on, and when it works again all its documents are "
              "brought in step",
              ailment->name, why);
}

static void put_off(struct ailment *ailment)
{
    ailment->probed_ms = clock_mono_ms();
    ailment->probe_ms = ailment->probed_ms + backoff_next(&ailment->backoff);
}

/* Leaves it out from now on, unless there is nobody to go on without it. */
static int leave_out(struct broken *broken, size_t projection, const struct err *why, struct err *err)
{
    struct ailment *ailment = ailment_of(broken, projection);
    struct plan *plan = broken->session->plan;
    bool was_broken = plan->projections[projection].broken;

    if (note_broken(broken->session, projection, why->text, err) != 0)
        return -1;
    if (broken->strict || (!was_broken && plan_count_whole(plan) == 1)) {
        err_copy(err, why);
        return -1;
    }
    say(ailment, why->text);
    put_off(ailment);
    plan_set_broken(plan, projection, why->text);
    return was_broken ? 0 : note_make_up_for(broken->session, projection, err);
}

/* 0 with *ret_fits, or -1 with err set when it cannot be found out. */
static int probe(struct broken *broken, size_t projection, bool *ret_fits, struct err *ret_why,
                 struct err *err)
{
    int result = probe_projection(broken->session, projection, ret_why);

    *ret_fits = result == 0;
    if (result == 0 || ret_why->status == ST_UNFIT)
        return 0;
    err_copy(err, ret_why);
    return -1;
}

int broken_take(struct broken *broken, size_t projection, const struct err *why, struct err *err)
{
    struct ailment *ailment = ailment_of(broken, projection);
    struct err found = ERR_NONE;
    bool fits;

    if (projection_of(broken, projection)->broken)
        return 0;
    log_warn("%s", why->text);
    if (probe(broken, projection, &fits, &found, err) != 0)
        return -1;
    if (!fits)
        return leave_out(broken, projection, &found, err);
    if (ailment->stale)
        return leave_out(broken, projection, why, err);
    ailment->stale = true;
    err_copy(err, why);
    return -1;
}

int broken_take_chore(struct broken *broken, size_t projection, const struct err *why, struct err *err)
{
    struct ailment *ailment = ailment_of(broken, projection);
    const char *shape = projection_of(broken, projection)->shape;
    struct err found = ERR_NONE;
    bool fits;

    if (projection_of(broken, projection)->broken)
        return 0;
    if (probe(broken, projection, &fits, &found, err) != 0)
        return -1;
    if (!fits)
        return leave_out(broken, projection, &found, err);
    if (ailment->chore_shape && strcmp(ailment->chore_shape, shape) == 0)
        return 0; /* the plan that was read anew for it is no better */
    mem_replace(&ailment->chore_shape, shape);
    err_copy(err, why);
    return -1;
}

static char *touched_names(const struct broken *broken, const struct expand_result *results)
{
    const struct plan *plan = broken->session->plan;
    const char **names = mem_alloc(sizeof(*names) * plan->nprojections);
    size_t count = 0;
    char *array = NULL;

    for (size_t i = 0; i < plan->nprojections; i++)
        if (results[i].touched && plan->projections[i].broken)
            names[count++] = plan->projections[i].config->name;
    if (count)
        array = array_literal(names, count);
    free(names);
    return array;
}

/* It works. */
static void trust(const struct broken *broken, size_t projection)
{
    struct ailment *ailment = find(broken, projection_of(broken, projection)->config->name);

    if (!ailment)
        return;
    ailment->stale = false;
    backoff_reset(&ailment->backoff);
    mem_replace(&ailment->said, NULL);
}

int broken_take_page(struct broken *broken, const struct expand_result *results, bool queue_all,
                     struct err *err)
{
    const struct plan *plan = broken->session->plan;
    char *names;
    int result = 0;

    for (size_t i = 0; i < plan->nprojections; i++) {
        if (results[i].unfit.status != ST_OK && broken_take(broken, i, &results[i].unfit, err) != 0)
            return -1;
        if (results[i].touched && !plan->projections[i].broken)
            trust(broken, i);
    }
    names = touched_names(broken, results);
    if (names)
        result = note_make_up(broken->session, names, queue_all, err);
    free(names);
    return result;
}

/* ---- becoming whole ---- */

static int mend(struct broken *broken, size_t projection, struct err *err)
{
    if (note_mended(broken->session, projection, err) != 0)
        return -1;
    log_info("projection %s works again", projection_of(broken, projection)->config->name);
    return 0;
}

/* The plan that it was broken with is of no use any more. */
static int probe_broken(struct broken *broken, size_t projection, struct err *err)
{
    struct err why = ERR_NONE;
    bool fits;

    if (probe(broken, projection, &fits, &why, err) != 0) {
        put_off(ailment_of(broken, projection));
        if (err->status == ST_AGAIN)
            err_clear(err);
        return err->status == ST_OK ? 0 : -1;
    }
    if (!fits)
        return leave_out(broken, projection, &why, err);
    if (mend(broken, projection, err) == 0)
        err_set(err, ST_AGAIN, "projection %s works again: its plan is to be read anew",
                projection_of(broken, projection)->config->name);
    return -1;
}

/* What others noted, but works here so far. */
static int probe_noted(struct broken *broken, size_t projection, struct err *err)
{
    struct err why = ERR_NONE;
    bool fits;

    if (probe(broken, projection, &fits, &why, err) != 0)
        return -1;
    return fits ? mend(broken, projection, err) : leave_out(broken, projection, &why, err);
}

static bool is_noted(const struct pg_rows *rows, const char *name)
{
    for (int row = 0; row < pg_rows_count(rows); row++)
        if (strcmp(pg_rows_get(rows, row, 0, NULL), name) == 0)
            return true;
    return false;
}

/* What the others do not take for broken any more is probed soon. */
static int compare(struct broken *broken, const struct pg_rows *rows, struct err *err)
{
    const struct plan *plan = broken->session->plan;

    for (size_t i = 0; i < plan->nprojections; i++) {
        bool noted = is_noted(rows, plan->projections[i].config->name);

        if (noted && !plan->projections[i].broken && probe_noted(broken, i, err) != 0)
            return -1;
        if (!noted && plan->projections[i].broken) {
            struct ailment *ailment = ailment_of(broken, i);

            ailment->probe_ms = ailment->probed_ms + PROBE_FIRST_MS;
        }
    }
    return 0;
}

static int look(struct broken *broken, struct err *err)
{
    const char *const params[] = {broken->session->config->fleet};
    struct pg_query query = {
        .sql = "SELECT name FROM pgusher.projection WHERE fleet = $1 AND broken_at IS NOT NULL",
        .params = params,
        .nparams = 1};
    struct pg_rows *rows = NULL;
    int result = pg_run(broken->session->pg, &query, &rows, err);

    broken->look = false;
    if (result == 0)
        result = compare(broken, rows, err);
    pg_rows_free(rows);
    return result;
}

/* ---- sessions ---- */

int broken_begin(struct broken *broken, struct session *session, struct err *err)
{
    broken->session = session;
    free(broken->call);
    broken->call = mem_printf("projections %s", session->number);
    for (size_t i = 0; i < session->plan->nprojections; i++) {
        struct err why = ERR_NONE;

        if (!session->plan->projections[i].broken)
            continue;
        err_set(&why, ST_UNFIT, "%s", session->plan->projections[i].broken);
        plan_set_broken(session->plan, i, NULL);
        if (leave_out(broken, i, &why, err) != 0)
            return -1;
    }
    return look(broken, err);
}

void broken_end(struct broken *broken)
{
    broken->session = NULL;
}

void broken_told(struct broken *broken, const char *payload)
{
    if (!broken->session || strcmp(payload, broken->call) != 0)
        return;
    broken->look = true;
    if (broken->session->wake)
        broken->session->wake(broken->session->arg);
}

void broken_look_again(struct broken *broken)
{
    broken->look = true;
    for (size_t i = 0; i < broken->count; i++)
        broken->list[i].probe_ms = clock_mono_ms();
}

/* ---- when ---- */

/* A projection that is broken, and when it is to be probed: the first one; -1: none. */
static int64_t next_probe(const struct broken *broken, int64_t *ret_at_ms)
{
    const struct plan *plan = broken->session->plan;
    int64_t next = -1;

    for (size_t i = 0; i < plan->nprojections; i++) {
        const struct ailment *ailment = find(broken, plan->projections[i].config->name);

        if (!plan->projections[i].broken || !ailment || (next >= 0 && ailment->probe_ms >= *ret_at_ms))
            continue;
        next = (int64_t)i;
        *ret_at_ms = ailment->probe_ms;
    }
    return next;
}

int64_t broken_ms_left(const struct broken *broken)
{
    int64_t at_ms = 0, left;

    if (broken->look)
        return 0;
    if (next_probe(broken, &at_ms) < 0)
        return -1;
    left = at_ms - clock_mono_ms();
    return left > 0 ? left : 0;
}

int broken_step(struct broken *broken, struct err *err)
{
    int64_t at_ms, next;

    if (broken->look)
        return look(broken, err);
    next = next_probe(broken, &at_ms);
    return next >= 0 && at_ms <= clock_mono_ms() ? probe_broken(broken, (size_t)next, err) : 0;
}
