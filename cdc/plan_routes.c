/* Which changes lead to which projections: see plan_load_routes in plan.h. */
#include <stdlib.h>
#include <string.h>

#include "cdc/plan.h"
#include "common/mem.h"

static int find_name(char **names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

/* -1 when the capture's keys do not hold all columns of the watch. */
static int set_positions(struct plan_route *route, const struct watch *watch, char **keys, size_t nkeys)
{
    for (size_t i = 0; i < watch->ncolumns; i++) {
        route->positions[i] = find_name(keys, nkeys, watch->columns[i]);
        if (route->positions[i] < 0)
            return -1;
    }
    return 0;
}

static void add_capture_routes(struct plan *plan, const struct catalog *catalog, int capture, const char *oid,
                               char **keys, size_t nkeys)
{
    for (size_t i = 0; i < plan->nprojections; i++) {
        const struct projection *projection = plan->projections[i].config;

        for (size_t j = 0; j < projection->nwatches; j++) {
            const struct watch *watch = &projection->watches[j];
            struct plan_route route = {.capture = capture, .projection = i, .watch = j};

            if (plan->projections[i].broken || strcmp(catalog_find(catalog, watch->table)->oid, oid) != 0 ||
                set_positions(&route, watch, keys, nkeys) != 0)
                continue;
            plan->routes = mem_resize(plan->routes, sizeof(route) * (plan->nroutes + 1));
            plan->routes[plan->nroutes++] = route;
        }
    }
}

static bool has_route(const struct plan *plan, size_t projection, size_t watch)
{
    for (size_t i = 0; i < plan->nroutes; i++)
        if (plan->routes[i].projection == projection && plan->routes[i].watch == watch)
            return true;
    return false;
}

static void check_routes(struct plan *plan)
{
    for (size_t i = 0; i < plan->nprojections; i++)
        for (size_t j = 0; j < plan->projections[i].config->nwatches; j++) {
            const struct projection *config = plan->projections[i].config;

            if (!plan->projections[i].broken && !has_route(plan, i, j))
                plan->projections[i].broken = mem_printf("projections.%s.watch.%s: the database does not "
                                                         "capture this yet; run: pgusher install",
                                                         config->name, config->watches[j].table);
        }
}

int plan_load_routes(struct plan *plan, const struct catalog *catalog, struct pg *pg, struct err *err)
{
    struct pg_query query = {.sql = "SELECT id, relation::oid, key_columns FROM pgusher.capture ORDER BY id"};
    struct pg_rows *rows = NULL;

    if (pg_run(pg, &query, &rows, err) != 0)
        return -1;
    for (int row = 0; row < pg_rows_count(rows); row++) {
        char **keys;
        size_t nkeys = array_parse(pg_rows_get(rows, row, 2, NULL), &keys);

        plan->last_capture = atoi(pg_rows_get(rows, row, 0, NULL));
        add_capture_routes(plan, catalog, atoi(pg_rows_get(rows, row, 0, NULL)),
                           pg_rows_get(rows, row, 1, NULL), keys, nkeys);
        for (size_t i = 0; i < nkeys; i++)
            free(keys[i]);
        free(keys);
    }
    pg_rows_free(rows);
    check_routes(plan);
    return 0;
}
