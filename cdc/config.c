#include "cdc/config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/config_limits.h"
#include "common/jconf.h"
#include "common/mem.h"

enum { MAX_FLEET_NAME = 48 };

static const char *const root_keys[] = {"fleet",     "postgres",    "redis",      "http",   "partitions",
                                        "look_back", "max_lag",     "redis_wait", "canary", "sweep",
                                        "verify",    "projections", "queues",     NULL};
static const char *const projection_keys[] = {"source", "id",     "key",   "expire_at", "expire_grace",
                                              "rows",   "queues", "watch", NULL};
static const char *const watch_keys[] = {"column", "lookup", NULL};

/* ---- watches ---- */

static bool uses_parameter(const char *sql, const char *parameter)
{
    size_t len = strlen(parameter);

    for (const char *found = strstr(sql, parameter); found; found = strstr(found + 1, parameter))
        if (!isdigit((unsigned char)found[len]))
            return true;
    return false;
}

static void check_lookup(const struct jnode *object, const struct watch *watch)
{
    struct jnode node = jconf_member(object, "lookup");

    for (size_t i = 1; i <= watch->ncolumns; i++) {
        char parameter[24];

        snprintf(parameter, sizeof(parameter), "$%zu", i);
        if (!uses_parameter(watch->lookup, parameter))
            jconf_problem(&node,
                          "does not use %s, the array of the values of column \"%s\"; write for example "
                          "SELECT id FROM event WHERE venue_id = ANY(%s)",
                          parameter, watch->columns[i - 1], parameter);
    }
}

static void read_watch(const struct jnode *node, const char *table, const struct projection *projection,
                       struct watch *watch)
{
    watch->table = mem_strdup(table);
    if (json_is_object(node->value)) {
        struct jnode column = jconf_member(node, "column");

        jconf_known(node, watch_keys);
        watch->ncolumns = jconf_strings(&column, &watch->columns);
        if (!column.value)
            jconf_problem(&column, "is missing: which column of %s leads to the documents", table);
        watch->lookup = jconf_string(node, "lookup", false);
        if (watch->lookup)
            check_lookup(node, watch);
    } else {
        watch->ncolumns = jconf_strings(node, &watch->columns);
    }
    if (watch->ncolumns > MAX_ID_COLUMNS)
        jconf_problem(node, "has %zu columns; at most %d are supported", watch->ncolumns, MAX_ID_COLUMNS);
    else if (!watch->lookup && watch->ncolumns && projection->nid && watch->ncolumns != projection->nid)
        jconf_problem(node, "names %zu column%s, but \"id\" of the projection has %zu", watch->ncolumns,
                      watch->ncolumns == 1 ? "" : "s", projection->nid);
}

static void read_watches(const struct jnode *object, struct projection *projection)
{
    struct jnode node = jconf_member(object, "watch");
    const char *table;
    json_t *value;

    if (!node.value) {
        jconf_problem(&node, "is missing: which tables' changes concern these documents");
        return;
    }
    if (!jconf_is_object(&node))
        return;
    if (json_object_size(node.value) == 0)
        jconf_problem(&node, "must name at least one table");
    projection->watches = mem_zalloc(sizeof(struct watch) * (json_object_size(node.value) + 1));
    json_object_foreach (node.value, table, value) {
        struct jnode member = jconf_member(&node, table);

        read_watch(&member, table, projection, &projection->watches[projection->nwatches++]);
    }
}

/* ---- projections ---- */

static void refuse_repeated(const struct jnode *node, char **names, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(names[i], names[j]) == 0)
                jconf_problem(node, "names \"%s\" twice", names[i]);
}

int config_id_index(const struct projection *projection, const char *column)
{
    for (size_t i = 0; i < projection->nid; i++)
        if (strcmp(projection->id[i], column) == 0)
            return (int)i;
    return -1;
}

static bool key_has_column(const struct key_template *key, const char *column)
{
    for (size_t i = 0; i < template_columns(key); i++)
        if (strcmp(template_column(key, i), column) == 0)
            return true;
    return false;
}

/* The columns beside the id's. */
static void check_key_columns(const struct jnode *node, const struct projection *projection)
{
    size_t count = template_columns(projection->key), others = 0;

    for (size_t i = 0; i < count; i++) {
        const char *column = template_column(projection->key, i);

        if (config_id_index(projection, column) >= 0)
            continue;
        others++;
        if (!projection->many_rows)
            jconf_problem(node,
                          "uses column \"%s\", which is not in \"id\": when the row is gone the key could "
                          "not be found any more (where one id yields several rows, write \"rows\": "
                          "\"many\")",
                          column);
    }
    if (projection->many_rows && !others)
        jconf_problem(node, "names no column beside \"id\", but with \"rows\": \"many\" one is needed that "
                            "tells the rows of an id apart");
    if (projection->many_rows && template_literal_has(projection->key, '*'))
        jconf_problem(node, "holds a *, which with \"rows\": \"many\" stands for all keys of an id");
    if (count > MAX_KEY_COLUMNS)
        jconf_problem(node, "has %zu columns; at most %d are supported", count, MAX_KEY_COLUMNS);
}

static void read_key(const struct jnode *object, struct projection *projection)
{
    struct jnode node = jconf_member(object, "key");
    struct err err = ERR_NONE;

    projection->key_text = jconf_string(object, "key", true);
    if (!projection->key_text)
        return;
    projection->key = template_parse(projection->key_text, &err);
    if (!projection->key) {
        jconf_problem(&node, "%s", err.text);
        return;
    }
    check_key_columns(&node, projection);
    for (size_t i = 0; i < projection->nid; i++)
        if (!key_has_column(projection->key, projection->id[i]))
            jconf_problem(&node, "leaves out id column \"%s\": different documents would share one key",
                          projection->id[i]);
}

static void read_rows(const struct jnode *object, struct projection *projection)
{
    struct jnode node = jconf_member(object, "rows");
    char *rows = jconf_string(object, "rows", false);

    projection->many_rows = rows && strcmp(rows, "many") == 0;
    if (rows && !projection->many_rows && strcmp(rows, "one") != 0)
        jconf_problem(&node, "must be \"one\" or \"many\", not \"%s\"", rows);
    free(rows);
}

static void read_id(const struct jnode *object, struct projection *projection)
{
    struct jnode node = jconf_member(object, "id");

    projection->nid = jconf_strings(&node, &projection->id);
    if (!node.value)
        jconf_problem(&node, "is missing: the column, or columns, of the source that identify a document");
    if (projection->nid > MAX_ID_COLUMNS)
        jconf_problem(&node, "has %zu columns; at most %d are supported", projection->nid, MAX_ID_COLUMNS);
    refuse_repeated(&node, projection->id, projection->nid);
}

static void read_projection(const struct jnode *object, const char *name, struct projection *projection)
{
    struct jnode queues = jconf_member(object, "queues");

    projection->name = mem_strdup(name);
    if (!jconf_is_object(object))
        return;
    jconf_known(object, projection_keys);
    projection->source = jconf_string(object, "source", true);
    read_id(object, projection);
    read_rows(object, projection);
    read_key(object, projection);
    projection->expire_at = jconf_string(object, "expire_at", false);
    projection->expire_grace_ms = jconf_duration_ms(object, "expire_grace", 0);
    if (json_is_array(queues.value) && json_array_size(queues.value) == 0)
        queues.value = NULL;
    projection->nqueues = jconf_strings(&queues, &projection->queues);
    refuse_repeated(&queues, projection->queues, projection->nqueues);
    read_watches(object, projection);
}

static bool same_pattern(const struct key_template *a, const struct key_template *b)
{
    char *a_pattern = template_pattern(a), *b_pattern = template_pattern(b);
    bool same = strcmp(a_pattern, b_pattern) == 0;

    free(a_pattern);
    free(b_pattern);
    return same;
}

static void check_patterns_differ(const struct jnode *projections, const struct config *config)
{
    for (size_t i = 0; i < config->nprojections; i++)
        for (size_t j = 0; j < i; j++) {
            const struct projection *a = &config->projections[j], *b = &config->projections[i];
            struct jnode node = jconf_member(projections, b->name);

            if (a->key && b->key && same_pattern(a->key, b->key)) {
                node = jconf_member(&node, "key");
                jconf_problem(&node, "is the key of projection \"%s\" too: they would overwrite each other",
                              a->name);
            }
        }
}

static void read_projections(const struct jnode *root, struct config *config)
{
    struct jnode node = jconf_member(root, "projections");
    const char *name;
    json_t *value;

    if (!node.value) {
        jconf_problem(&node, "is missing");
        return;
    }
    if (!jconf_is_object(&node))
        return;
    if (json_object_size(node.value) == 0)
        jconf_problem(&node, "must name at least one projection");
    config->projections = mem_zalloc(sizeof(struct projection) * (json_object_size(node.value) + 1));
    json_object_foreach (node.value, name, value) {
        struct jnode member = jconf_member(&node, name);

        read_projection(&member, name, &config->projections[config->nprojections++]);
    }
    check_patterns_differ(&node, config);
}

/* ---- all of it ---- */

static void add_default_queues(struct config *config)
{
    for (size_t i = 0; i < config->nprojections; i++)
        for (size_t j = 0; j < config->projections[i].nqueues; j++)
            queue_config_add(&config->queues, &config->nqueues, config->projections[i].queues[j]);
}

#define FLEET_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

static void read_fleet(const struct jnode *root, const char *fleet, struct config *config)
{
    struct jnode node = jconf_member(root, "fleet");

    config->fleet = jconf_string(root, "fleet", false);
    if (fleet || !config->fleet) {
        free(config->fleet);
        config->fleet = mem_strdup(fleet ? fleet : "default");
    }
    /* It is part of an application_name, which PostgreSQL cuts at 63 bytes. */
    if (strlen(config->fleet) > MAX_FLEET_NAME || strlen(config->fleet) == 0 ||
        strspn(config->fleet, FLEET_CHARACTERS) != strlen(config->fleet))
        jconf_problem(&node, "%sthe name of a fleet has 1 to %d of the characters A-Z a-z 0-9 _ . -",
                      fleet ? "(given by --fleet) " : "", MAX_FLEET_NAME);
}

struct config *config_load(const char *file, const char *fleet, struct problems *problems)
{
    size_t errors = problems->errors;
    json_t *document = jconf_load(file, problems);
    struct config *config;
    struct jnode root;

    if (!document)
        return NULL;
    config = mem_zalloc(sizeof(*config));
    config->file = mem_strdup(file);
    root = jconf_root(document, problems);
    jconf_known(&root, root_keys);
    read_fleet(&root, fleet, config);
    config->postgres = queue_config_server(&root, "postgres", "conninfo", &config->postgres_password);
    config->redis_text = queue_config_redis(&root, &config->redis);
    config_http_read(&root, &config->http);
    config_read_limits(&root, config);
    read_projections(&root, config);
    queue_config_read(&root, &config->queues, &config->nqueues);
    add_default_queues(config);
    queue_config_check_names(config->queues, config->nqueues, &config->redis, problems);
    json_decref(document);
    if (problems->errors > errors) {
        config_free(config);
        return NULL;
    }
    return config;
}

static void free_strings(char **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(list[i]);
    free(list);
}

static void free_projection(struct projection *projection)
{
    for (size_t i = 0; i < projection->nwatches; i++) {
        free(projection->watches[i].table);
        free_strings(projection->watches[i].columns, projection->watches[i].ncolumns);
        free(projection->watches[i].lookup);
    }
    free(projection->watches);
    free_strings(projection->id, projection->nid);
    free_strings(projection->queues, projection->nqueues);
    template_free(projection->key);
    free(projection->name);
    free(projection->source);
    free(projection->key_text);
    free(projection->expire_at);
}

void config_free(struct config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->nprojections; i++)
        free_projection(&config->projections[i]);
    queue_config_free(config->queues, config->nqueues);
    redis_url_free(&config->redis);
    free(config->redis_text);
    free(config->projections);
    config_http_free(&config->http);
    free(config->postgres);
    free(config->postgres_password);
    free(config->fleet);
    free(config->file);
    free(config);
}

const struct projection *config_projection(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->nprojections; i++)
        if (strcmp(config->projections[i].name, name) == 0)
            return &config->projections[i];
    return NULL;
}
