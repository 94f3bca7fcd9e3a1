#include "cdc/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/plan_sql.h"
#include "cdc/shape.h"
#include "common/mem.h"

/* ---- looking the configuration up in the catalog ---- */

static char *path(const struct projection *projection, const char *member)
{
    return mem_printf("projections.%s.%s", projection->name, member);
}

static void missing_column(const struct relation *relation, const char *name, const char *place,
                           struct problems *problems)
{
    const char **names = mem_alloc(relation->ncolumns * sizeof(*names));
    const char *near;

    for (size_t i = 0; i < relation->ncolumns; i++)
        names[i] = relation->columns[i].name;
    near = suggest(name, names, relation->ncolumns);
    problems_add(problems, PROBLEM_ERROR, place, "%s %s has no column \"%s\"%s%s%s",
                 relation->kind == 'v' ? "view" : "table", relation->qualified, name,
                 near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    free(names);
}

static bool has_column(const struct relation *relation, const char *name, const char *place,
                       struct problems *problems)
{
    if (relation_column(relation, name))
        return true;
    missing_column(relation, name, place, problems);
    return false;
}

static bool exists(const struct catalog *catalog, const struct relation *relation, const char *what,
                   const char *place, struct problems *problems)
{
    const char *near;

    if (relation->oid)
        return true;
    near = suggest(relation->name, (const char *const *)catalog->visible, catalog->nvisible);
    if (near)
        problems_add(problems, PROBLEM_ERROR, place, "there is no %s \"%s\"; did you mean \"%s\"?", what,
                     relation->name, near);
    else
        problems_add(
            problems, PROBLEM_ERROR, place,
            "there is no %s \"%s\" (names are exact, upper and lower case differ; where it is not on the "
            "search_path, its schema is written before a dot)",
            what, relation->name);
    return false;
}

static void check_expire(const struct projection *projection, const struct relation *source,
                         struct problems *problems)
{
    char *place = path(projection, "expire_at");

    if (has_column(source, projection->expire_at, place, problems)) {
        const char *type = relation_column(source, projection->expire_at)->base_type;

        if (strcmp(type, "timestamp without time zone") == 0 || strcmp(type, "date") == 0)
            problems_add(problems, PROBLEM_WARNING, place,
                         "column \"%s\" is a %s and is read as UTC; timestamptz would be exact",
                         projection->expire_at, type);
        else if (strcmp(type, "timestamp with time zone") != 0)
            problems_add(
                problems, PROBLEM_ERROR, place,
                "column \"%s\" is of type %s; it must be timestamptz (or timestamp or date, read as UTC)",
                projection->expire_at, type);
    }
    free(place);
}

/* The columns beside the id's. */
static void check_key(const struct projection *projection, const struct relation *source,
                      struct problems *problems)
{
    char *place = path(projection, "key");

    for (size_t i = 0; i < template_columns(projection->key); i++) {
        const char *column = template_column(projection->key, i);

        if (config_id_index(projection, column) < 0)
            has_column(source, column, place, problems);
    }
    free(place);
}

static void check_source(const struct projection *projection, const struct catalog *catalog,
                         struct problems *problems)
{
    const struct relation *source = catalog_find(catalog, projection->source);
    char *place = path(projection, "source");
    char *id_place = path(projection, "id");

    if (exists(catalog, source, "table or view", place, problems)) {
        for (size_t i = 0; i < projection->nid; i++)
            has_column(source, projection->id[i], id_place, problems);
        check_key(projection, source, problems);
        if (projection->expire_at)
            check_expire(projection, source, problems);
        if (!source->can_select)
            problems_add(problems, PROBLEM_ERROR, place,
                         "no privilege to read %s; as its owner: GRANT SELECT ON %s TO the role that "
                         "\"postgres\" in the configuration connects as",
                         source->qualified, source->qualified);
    }
    free(place);
    free(id_place);
}

static void check_key_column(const struct relation *table, const char *name, const char *place,
                             struct problems *problems)
{
    if (has_column(table, name, place, problems) && relation_column(table, name)->is_virtual)
        problems_add(
            problems, PROBLEM_ERROR, place,
            "column \"%s\" of %s is generated when it is read, which no trigger sees; make it STORED, "
            "or name the columns that it is computed from, with a \"lookup\"",
            name, table->qualified);
}

static void check_watch(const struct projection *projection, const struct watch *watch,
                        const struct catalog *catalog, struct problems *problems)
{
    const struct relation *table = catalog_find(catalog, watch->table);
    char *place = mem_printf("projections.%s.watch.%s", projection->name, watch->table);

    if (exists(catalog, table, "table", place, problems)) {
        if (table->kind != 'r' && table->kind != 'p')
            problems_add(problems, PROBLEM_ERROR, place,
                         "%s is not a table: triggers stand on tables, so watch the tables it reads",
                         table->qualified);
        else
            for (size_t i = 0; i < watch->ncolumns; i++)
                check_key_column(table, watch->columns[i], place, problems);
    }
    free(place);
}

/* ---- building ---- */

static size_t trimmed_length(const char *sql)
{
    size_t len = strlen(sql);

    while (len && strchr("; \t\r\n", sql[len - 1]))
        len--;
    return len;
}

static void compose(struct plan_projection *plan, size_t index, const struct projection *projection,
                    const struct relation *source)
{
    plan->shape = shape_text(projection, source);
    plan->select_name = mem_printf("documents_%zu", index);
    plan->select_by_id = plan_sql_by_id(projection, source);
    plan->select_one_name = mem_printf("document_%zu", index);
    plan->select_one = plan_sql_one(projection, source);
    plan->select_head = plan_sql_select_head(projection, source);
    plan->id_list = plan_sql_id_list(projection);
    plan->from = mem_printf(" FROM %s s", source->qualified);
    plan->behind = plan_sql_behind(projection, source);
    if (projection->expire_at) {
        plan->sweep_first = plan_sql_sweep(projection, source, false);
        plan->sweep_after = plan_sql_sweep(projection, source, true);
    }
    plan->keys_by_id = plan_sql_keys_by_id(projection, source);
    plan->lookups = mem_zalloc(sizeof(char *) * (projection->nwatches + 1));
    for (size_t i = 0; i < projection->nwatches; i++) {
        const char *lookup = projection->watches[i].lookup;

        if (lookup)
            plan->lookups[i] = mem_printf("%.*s", (int)trimmed_length(lookup), lookup);
    }
}

static void adopt_key(struct plan_projection *plan, const struct projection *projection)
{
    for (size_t i = 0; i < template_columns(projection->key); i++) {
        const char *column = template_column(projection->key, i);

        plan->key_ids[i] = config_id_index(projection, column);
        for (size_t j = 0; j < plan->ncolumns; j++)
            if (strcmp(plan->names[j], column) == 0)
                plan->key_columns[i] = (int)j;
    }
}

static void find_rivals(struct plan *plan)
{
    for (size_t i = 0; i < plan->nprojections; i++)
        for (size_t j = 0; j < plan->nprojections; j++)
            if (i != j &&
                template_may_overlap(plan->projections[i].config->key, plan->projections[j].config->key))
                plan->projections[i].has_rivals = true;
}

static void adopt_columns(struct plan_projection *plan, const struct projection *projection,
                          const struct relation *source)
{
    plan->ncolumns = source->ncolumns;
    plan->stored = mem_zalloc(sizeof(bool) * (source->ncolumns + 1));
    plan->names = mem_zalloc(sizeof(char *) * (source->ncolumns + 1));
    for (size_t i = 0; i < source->ncolumns; i++) {
        plan->stored[i] = source->columns[i].name[0] != '_';
        plan->names[i] = mem_strdup(source->columns[i].name);
        for (size_t j = 0; j < projection->nid; j++)
            if (strcmp(projection->id[j], source->columns[i].name) == 0)
                plan->id_columns[j] = (int)i;
    }
}

static char *first_error(const struct problems *problems, size_t from)
{
    for (size_t i = from; i < problems->count; i++)
        if (problems->list[i].level == PROBLEM_ERROR)
            return mem_printf("%s: %s", problems->list[i].place, problems->list[i].text);
    return NULL;
}

struct plan *plan_new_partial(const struct config *config, const struct catalog *catalog,
                              struct problems *problems)
{
    struct plan *plan = mem_zalloc(sizeof(*plan));

    plan->catalog = catalog_digest(catalog);
    plan->projections = mem_zalloc(sizeof(*plan->projections) * config->nprojections);
    for (size_t i = 0; i < config->nprojections; i++) {
        const struct projection *projection = &config->projections[i];
        const struct relation *source = catalog_find(catalog, projection->source);
        size_t before = problems->count;

        check_source(projection, catalog, problems);
        for (size_t j = 0; j < projection->nwatches; j++)
            check_watch(projection, &projection->watches[j], catalog, problems);
        plan->projections[plan->nprojections++].config = projection;
        plan->projections[i].broken = first_error(problems, before);
        if (plan->projections[i].broken)
            continue;
        adopt_columns(&plan->projections[i], projection, source);
        adopt_key(&plan->projections[i], projection);
        compose(&plan->projections[i], i, projection, source);
    }
    find_rivals(plan);
    return plan;
}

struct plan *plan_new(const struct config *config, const struct catalog *catalog, struct problems *problems)
{
    size_t errors = problems->errors;
    struct plan *plan = plan_new_partial(config, catalog, problems);

    if (problems->errors == errors)
        return plan;
    plan_free(plan);
    return NULL;
}

void plan_set_broken(struct plan *plan, size_t projection, const char *why)
{
    mem_replace(&plan->projections[projection].broken, why);
}

size_t plan_count_whole(const struct plan *plan)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->nprojections; i++)
        count += plan->projections[i].broken == NULL;
    return count;
}

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->nprojections; i++) {
        struct plan_projection *projection = &plan->projections[i];

        for (size_t j = 0; j < projection->ncolumns; j++)
            free((char *)projection->names[j]);
        for (size_t j = 0; projection->lookups && j < projection->config->nwatches; j++)
            free(projection->lookups[j]);
        free(projection->names);
        free(projection->stored);
        free(projection->lookups);
        free(projection->shape);
        free(projection->select_name);
        free(projection->select_by_id);
        free(projection->select_one_name);
        free(projection->select_one);
        free(projection->select_head);
        free(projection->id_list);
        free(projection->from);
        free(projection->behind);
        free(projection->sweep_first);
        free(projection->sweep_after);
        free(projection->broken);
        free(projection->keys_by_id);
    }
    free(plan->projections);
    free(plan->routes);
    free(plan);
}

/* ---- names ---- */

static char *names_array(const struct plan *plan, bool also_broken)
{
    const char **names = mem_alloc(sizeof(*names) * (plan->nprojections + 1));
    size_t count = 0;
    char *array;

    for (size_t i = 0; i < plan->nprojections; i++)
        if (also_broken || !plan->projections[i].broken)
            names[count++] = plan->projections[i].config->name;
    array = array_literal(names, count);
    free(names);
    return array;
}

int64_t plan_find(const struct plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->nprojections; i++)
        if (strcmp(plan->projections[i].config->name, name) == 0)
            return (int64_t)i;
    return -1;
}

char *plan_projection_names(const struct plan *plan)
{
    return names_array(plan, true);
}

char *plan_whole_names(const struct plan *plan)
{
    return names_array(plan, false);
}
