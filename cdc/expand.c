#include "cdc/expand.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"

#define LOOKUP_INLINE "2000" /* ids that a lookup may add to the page */
#define LOOKUP_FETCH "1000"

enum { LOOKUP_INLINE_MAX = 2000 };

/* What one page means for one projection. */
struct expansion {
    struct session *session;
    struct batch *batch;
    size_t projection;
    struct ids *ids;
    struct ids **values; /* per watch with a lookup: the values of its columns; NULL until there is one */
};

static const struct plan_projection *plan_of(const struct expansion *expansion)
{
    return &expansion->session->plan->projections[expansion->projection];
}

static const struct watch *watch_of(const struct expansion *expansion, size_t watch)
{
    return &plan_of(expansion)->config->watches[watch];
}

/* ---- collecting ---- */

/* NULL is no part of an id. A lookup may be one of several columns that each lead to documents of their own,
 * so it is asked as long as one of them has a value. */
static bool pick(const struct plan_route *route, const struct watch *watch, const struct change *change,
                 const char **ret_values)
{
    size_t filled = 0;

    for (size_t i = 0; i < watch->ncolumns; i++) {
        ret_values[i] = change->keys[route->positions[i]];
        filled += ret_values[i] != NULL;
    }
    return watch->lookup ? filled > 0 : filled == watch->ncolumns;
}

static void follow(struct expansion *expansion, const struct plan_route *route, const struct change *change)
{
    const struct watch *watch = watch_of(expansion, route->watch);
    const char *values[MAX_ID_COLUMNS];

    if (pick(route, watch, change, values)) {
        struct ids **set = watch->lookup ? &expansion->values[route->watch] : &expansion->ids;

        if (!*set)
            *set = ids_new(watch->ncolumns);
        ids_add(*set, values);
    }
}

static void collect_route(struct expansion *expansion, const struct plan_route *route,
                          const struct change *changes, size_t count, struct expand_result *result)
{
    for (size_t i = 0; i < count; i++) {
        if (route->capture != changes[i].capture)
            continue;
        if (changes[i].keys)
            follow(expansion, route, &changes[i]);
        else
            result->truncated = true;
    }
}

static void collect(struct expansion *expansion, const struct change *changes, size_t count,
                    struct expand_result *result)
{
    const struct plan *plan = expansion->session->plan;

    for (size_t i = 0; i < plan->nroutes; i++)
        if (plan->routes[i].projection == expansion->projection)
            collect_route(expansion, &plan->routes[i], changes, count, result);
}

/* ---- lookups ---- */

/* Some of the values of a watch. */
struct lookup {
    size_t watch;
    size_t first;
    size_t count;
};

static int take_ids(const struct expansion *expansion, size_t watch, struct ids *ids,
                    const struct pg_rows *rows, struct err *err)
{
    size_t n = plan_of(expansion)->config->nid;

    if ((size_t)pg_rows_columns(rows) != n) {
        err_set(err, ST_UNFIT, "projections.%s.watch.%s.lookup: gives %d columns, but \"id\" has %zu",
                plan_of(expansion)->config->name, watch_of(expansion, watch)->table, pg_rows_columns(rows),
                n);
        return -1;
    }
    for (int row = 0; row < pg_rows_count(rows); row++) {
        const char *values[MAX_ID_COLUMNS];
        bool complete = true;

        for (size_t i = 0; i < n; i++) {
            values[i] = pg_rows_get(rows, row, (int)i, NULL);
            complete = complete && values[i];
        }
        if (complete)
            ids_add(ids, values);
    }
    return 0;
}

static int run_lookup(const struct expansion *expansion, const struct lookup *lookup, const char *format,
                      const char *name, struct pg_rows **ret_rows, struct err *err)
{
    size_t watch = lookup->watch;
    const struct ids *values = expansion->values[watch];
    size_t n = watch_of(expansion, watch)->ncolumns;
    char **arrays = mem_alloc(n * sizeof(*arrays));
    struct buf sql = BUF_NONE;
    struct pg_query query = {.name = name, .params = (const char *const *)arrays, .nparams = (int)n};
    const char *hole = strstr(format, "@");
    int result;

    buf_add(&sql, format, (size_t)(hole - format));
    buf_puts(&sql, plan_of(expansion)->lookups[watch]);
    buf_puts(&sql, hole + 1);
    query.sql = sql.data;
    for (size_t i = 0; i < n; i++)
        arrays[i] = ids_array(values, lookup->first, lookup->count, i);
    result = pg_run(expansion->session->pg, &query, ret_rows, err);
    if (result != 0)
        err_context(err, "projections.%s.watch.%s.lookup", plan_of(expansion)->config->name,
                    watch_of(expansion, watch)->table);
    for (size_t i = 0; i < n; i++)
        free(arrays[i]);
    free(arrays);
    buf_free(&sql);
    return result;
}

/* Reads the cursor to its end. What is complete after each chunk need not be remembered. */
static int apply_cursor(struct expansion *expansion, size_t watch, struct err *err)
{
    struct pg_query fetch = {.sql = "FETCH " LOOKUP_FETCH " FROM pgusher_lookup"};
    struct ids *ids = ids_new(plan_of(expansion)->config->nid);
    int result = 0, fetched = 1;

    while (result == 0 && fetched) {
        struct pg_rows *rows = NULL;

        ids_clear(ids);
        result = pg_run(expansion->session->pg, &fetch, &rows, err);
        if (result == 0)
            result = take_ids(expansion, watch, ids, rows, err);
        if (result == 0)
            result = batch_apply_ids(expansion->batch, expansion->projection, ids, err);
        if (result == 0)
            result = batch_finish(expansion->batch, err);
        fetched = rows ? pg_rows_count(rows) : 0;
        pg_rows_free(rows);
    }
    ids_free(ids);
    return result;
}

/* `why` is what the lookup itself fails with, as below. */
static int apply_large_lookup(struct expansion *expansion, const struct lookup *lookup, struct err *why,
                              struct err *err)
{
    struct pg_query close = {.sql = "CLOSE pgusher_lookup"};
    struct err closing = ERR_NONE;
    int result;

    if (run_lookup(expansion, lookup, "DECLARE pgusher_lookup NO SCROLL CURSOR WITH HOLD FOR @", NULL, NULL,
                   why) != 0)
        return -1;
    result = apply_cursor(expansion, lookup->watch, err);
    /* Whatever came of it: the session may go on without this projection. */
    if (pg_run(expansion->session->pg, &close, NULL, &closing) == 0)
        return result;
    err_copy(err, &closing);
    return -1;
}

static int try_lookup(struct expansion *expansion, const struct lookup *lookup, struct err *why,
                      struct err *err)
{
    char *name = mem_printf("lookup_%zu_%zu", expansion->projection, lookup->watch);
    struct pg_rows *rows = NULL;
    int result =
        run_lookup(expansion, lookup, "SELECT * FROM (@\n) l LIMIT " LOOKUP_INLINE " + 1", name, &rows, why);

    if (result == 0)
        result = pg_rows_count(rows) > LOOKUP_INLINE_MAX
                     ? apply_large_lookup(expansion, lookup, why, err)
                     : take_ids(expansion, lookup->watch, expansion->ids, rows, err);
    pg_rows_free(rows);
    free(name);
    return result;
}

/* As with documents: what is missing for the lookup itself is missing without values, too. */
static bool is_of_values(const struct expansion *expansion, const struct lookup *lookup,
                         const struct err *why)
{
    struct lookup none = {.watch = lookup->watch};
    struct err alone = ERR_NONE;

    return why->status == ST_REFUSED ||
           (why->status == ST_CONFIG &&
            run_lookup(expansion, &none, "SELECT * FROM (@\n) l LIMIT 0", NULL, NULL, &alone) == 0);
}

static int apply_lookup(struct expansion *expansion, const struct lookup *lookup, struct err *err)
{
    struct lookup half = *lookup;
    struct err why = ERR_NONE;

    if (try_lookup(expansion, lookup, &why, err) == 0)
        return 0;
    if (!is_of_values(expansion, lookup, &why)) {
        err_copy(err, &why);
        if (why.status == ST_CONFIG)
            err->status = expansion->session->lost ? ST_LOST : ST_UNFIT;
        return -1;
    }
    if (lookup->count == 1) {
        batch_lookup_refused(expansion->batch, plan_of(expansion), watch_of(expansion, lookup->watch),
                             ids_get(expansion->values[lookup->watch], lookup->first), why.text);
        return 0;
    }
    half.count = lookup->count / 2;
    if (apply_lookup(expansion, &half, err) != 0)
        return -1;
    half.first += half.count;
    half.count = lookup->count - half.count;
    return apply_lookup(expansion, &half, err);
}

static int apply_lookups(struct expansion *expansion, size_t watch, struct err *err)
{
    struct lookup all = {.watch = watch};

    if (!expansion->values[watch])
        return 0;
    all.count = ids_count(expansion->values[watch]);
    return apply_lookup(expansion, &all, err);
}

static int apply_projection(struct expansion *expansion, struct err *err)
{
    for (size_t i = 0; i < plan_of(expansion)->config->nwatches; i++)
        if (apply_lookups(expansion, i, err) != 0)
            return -1;
    return batch_apply_ids(expansion->batch, expansion->projection, expansion->ids, err);
}

/* Which projections are touched; of a broken one the routes are not known, so any change may concern it. An
 * install since this session began may have given tables new keys: the plan must be read again before their
 * changes can be understood. */
static int find_touched(const struct plan *plan, const struct change *changes, size_t count,
                        struct expand_result *results, struct err *err)
{
    bool *captured = mem_zalloc(sizeof(*captured) * ((size_t)plan->last_capture + 1));
    bool known = true;

    for (size_t i = 0; i < count; i++) {
        known = known && changes[i].capture <= plan->last_capture;
        if (known)
            captured[changes[i].capture] = true;
    }
    for (size_t i = 0; i < plan->nprojections; i++)
        results[i] = (struct expand_result){.touched = plan->projections[i].broken, .unfit = ERR_NONE};
    for (size_t i = 0; i < plan->nroutes; i++)
        results[plan->routes[i].projection].touched |= captured[plan->routes[i].capture];
    free(captured);
    if (!known)
        err_set(err, ST_AGAIN, "capture was changed by an install; reading the plan anew");
    return known ? 0 : -1;
}

static struct expansion expansion_new(struct session *session, struct batch *batch, size_t projection)
{
    const struct projection *config = session->plan->projections[projection].config;

    return (struct expansion){
        .session = session,
        .batch = batch,
        .projection = projection,
        .ids = ids_new(config->nid),
        .values = mem_zalloc(sizeof(struct ids *) * (config->nwatches + 1)),
    };
}

static void expansion_free(struct expansion *expansion)
{
    for (size_t i = 0; i < plan_of(expansion)->config->nwatches; i++)
        ids_free(expansion->values[i]);
    free(expansion->values);
    ids_free(expansion->ids);
}

/* 0 also when it turns out that the projection does not fit: the others are applied. */
static int apply_to(struct batch *batch, struct session *session, size_t projection,
                    const struct change *changes, size_t count, struct expand_result *result, struct err *err)
{
    struct expansion expansion = expansion_new(session, batch, projection);
    int failed;

    collect(&expansion, changes, count, result);
    failed = apply_projection(&expansion, &result->unfit);
    expansion_free(&expansion);
    if (failed == 0 || result->unfit.status == ST_UNFIT)
        return 0;
    err_copy(err, &result->unfit);
    return -1;
}

/* Those to be read, the quickest first; the caller frees. */
static size_t *order_touched(const struct plan *plan, const struct expand_result *results, size_t *ret_count)
{
    size_t *order = mem_alloc(sizeof(*order) * (plan->nprojections + 1)), count = 0;

    for (size_t i = 0; i < plan->nprojections; i++) {
        size_t at = count;

        if (!results[i].touched || plan->projections[i].broken)
            continue;
        for (; at > 0 && plan->projections[order[at - 1]].took_us > plan->projections[i].took_us; at--)
            order[at] = order[at - 1];
        order[at] = i;
        count++;
    }
    *ret_count = count;
    return order;
}

/* A moving average, for single times say little: whoever is first finds everybody asleep. */
static void note_time(struct plan_projection *projection, int64_t us)
{
    projection->took_us += projection->took_us ? (us - projection->took_us) / 8 : us;
}

int expand_apply(struct batch *batch, struct session *session, const struct change *changes, size_t count,
                 struct expand_result *results, struct err *err)
{
    int result = find_touched(session->plan, changes, count, results, err);
    size_t left, *order = order_touched(session->plan, results, &left);

    for (size_t i = 0; i < left && result == 0; i++) {
        int64_t began_us = clock_mono_us();

        result = apply_to(batch, session, order[i], changes, count, &results[order[i]], err);
        note_time(&session->plan->projections[order[i]], clock_mono_us() - began_us);
    }
    free(order);
    return result;
}

int expand_value(struct batch *batch, struct session *session, size_t projection, size_t watch,
                 const char *const *values, struct err *err)
{
    struct expansion expansion = expansion_new(session, batch, projection);
    int result;

    expansion.values[watch] = ids_new(watch_of(&expansion, watch)->ncolumns);
    ids_add(expansion.values[watch], values);
    result = apply_projection(&expansion, err);
    expansion_free(&expansion);
    return result;
}
