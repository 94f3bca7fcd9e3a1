#include "cdc/shape.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"

/* ---- as text ---- */

static json_t *names(char *const *list, size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_string(list[i]));
    return array;
}

/* How long a text may be changes nothing about it. */
static const char *type_of(const struct column *column)
{
    return strcmp(column->base_type, "character varying") == 0 ? "text" : column->type;
}

/* Those that are fields of the hash. */
static json_t *columns(const struct relation *source)
{
    json_t *object = json_object();

    for (size_t i = 0; i < source->ncolumns; i++)
        if (source->columns[i].name[0] != '_')
            json_object_set_new(object, source->columns[i].name, json_string(type_of(&source->columns[i])));
    return object;
}

char *shape_text(const struct projection *projection, const struct relation *source)
{
    json_t *shape =
        json_pack("{s:s, s:s, s:s, s:o, s:s?, s:I, s:o, s:o}", "source", projection->source, "key",
                  projection->key_text, "rows", projection->many_rows ? "many" : "one", "id",
                  names(projection->id, projection->nid), "expire_at", projection->expire_at,
                  "expire_grace_ms", (json_int_t)(projection->expire_at ? projection->expire_grace_ms : 0),
                  "queues", names(projection->queues, projection->nqueues), "columns", columns(source));
    char *text = json_dumps(shape, JSON_COMPACT | JSON_SORT_KEYS);

    json_decref(shape);
    return text;
}

static const char *text_of(const json_t *shape, const char *member)
{
    const char *text = json_string_value(json_object_get(shape, member));

    return text ? text : "";
}

/* ---- comparing ---- */

static void begin_clause(struct buf *words)
{
    if (words->len)
        buf_puts(words, "; ");
}

static void compare_text(const json_t *before, const json_t *now, const char *member, const char *called,
                         struct buf *words)
{
    const char *old_text = text_of(before, member), *new_text = text_of(now, member);

    if (strcmp(old_text, new_text) == 0)
        return;
    begin_clause(words);
    buf_printf(words, "%s is now %s, and was %s", called, *new_text ? new_text : "not set",
               *old_text ? old_text : "not set");
}

static void add_list(struct buf *words, const json_t *array)
{
    size_t i;
    json_t *name;

    json_array_foreach (array, i, name)
        buf_printf(words, "%s%s", i ? ", " : "", json_string_value(name));
}

static void compare_id(const json_t *before, const json_t *now, struct buf *words)
{
    const json_t *old_id = json_object_get(before, "id"), *new_id = json_object_get(now, "id");

    if (json_equal(old_id, new_id))
        return;
    begin_clause(words);
    buf_puts(words, "the id is now ");
    add_list(words, new_id);
    buf_puts(words, ", and was ");
    add_list(words, old_id);
}

static void compare_grace(const json_t *before, const json_t *now, struct buf *words)
{
    json_int_t old_ms = json_integer_value(json_object_get(before, "expire_grace_ms"));
    json_int_t new_ms = json_integer_value(json_object_get(now, "expire_grace_ms"));

    if (old_ms == new_ms || strcmp(text_of(before, "expire_at"), text_of(now, "expire_at")) != 0)
        return;
    begin_clause(words);
    buf_printf(words, "expire_grace is now %lld s, and was %lld s", (long long)new_ms / 1000,
               (long long)old_ms / 1000);
}

/* Columns of one that the other has not: "columns a, b". */
static size_t missing(const json_t *some, const json_t *others, struct buf *words)
{
    json_t *found = json_array();
    const char *name;
    json_t *type;
    size_t count;

    json_object_foreach ((json_t *)some, name, type)
        if (!json_object_get(others, name))
            json_array_append_new(found, json_string(name));
    count = json_array_size(found);
    if (count) {
        begin_clause(words);
        buf_puts(words, count > 1 ? "columns " : "column ");
        add_list(words, found);
    }
    json_decref(found);
    return count;
}

static void compare_types(const json_t *before, const json_t *now, struct buf *words)
{
    const char *name;
    json_t *type;

    json_object_foreach ((json_t *)now, name, type) {
        const json_t *old_type = json_object_get(before, name);

        if (!old_type || json_equal(old_type, type))
            continue;
        begin_clause(words);
        buf_printf(words, "column %s is now %s, and was %s", name, json_string_value(type),
                   json_string_value(old_type));
    }
}

static void compare_columns(const json_t *before, const json_t *now, struct buf *words)
{
    const json_t *old_columns = json_object_get(before, "columns");
    const json_t *new_columns = json_object_get(now, "columns");
    size_t count = missing(new_columns, old_columns, words);

    if (count)
        buf_printf(words, " %s added: documents written before lack %s", count > 1 ? "were" : "was",
                   count > 1 ? "them" : "it");
    count = missing(old_columns, new_columns, words);
    if (count)
        buf_printf(words, " %s removed: documents written before have %s still", count > 1 ? "were" : "was",
                   count > 1 ? "them" : "it");
    compare_types(old_columns, new_columns, words);
}

static bool has_name(const json_t *array, const char *name)
{
    size_t i;
    json_t *one;

    json_array_foreach (array, i, one)
        if (strcmp(json_string_value(one), name) == 0)
            return true;
    return false;
}

/* Of SCAN, for the keys of a template that was read before. */
static char *scan_pattern(const char *key)
{
    struct err err = ERR_NONE;
    struct key_template *template = template_parse(key, &err);
    char *pattern = template ? template_pattern(template) : mem_strdup("*");

    template_free(template);
    return pattern;
}

static void compare_queues(const json_t *before, const json_t *now, struct buf *words)
{
    const json_t *old_queues = json_object_get(before, "queues");
    const json_t *new_queues = json_object_get(now, "queues");
    char *pattern = scan_pattern(text_of(now, "key"));
    size_t i;
    json_t *name;

    json_array_foreach (new_queues, i, name) {
        const char *queue = json_string_value(name);

        if (has_name(old_queues, queue))
            continue;
        begin_clause(words);
        buf_printf(words,
                   "queue %s is new and holds only what changes from now on; to queue all documents: "
                   "redis-cli --scan --pattern '%s' | pgusher-queue push '%s' - --later",
                   queue, pattern, queue);
    }
    json_array_foreach (old_queues, i, name) {
        if (has_name(new_queues, json_string_value(name)))
            continue;
        begin_clause(words);
        buf_printf(words, "queue %s is told no more; what waits there stays", json_string_value(name));
    }
    free(pattern);
}

static char *taken(struct buf *words)
{
    if (words->len)
        return buf_take(words);
    buf_free(words);
    return NULL;
}

static void note_former(const json_t *before, const json_t *now, struct shape_change *change)
{
    const json_t *id = json_object_get(before, "id");
    const char *columns_of_id[MAX_ID_COLUMNS];
    size_t count = 0;

    if (strcmp(text_of(before, "key"), text_of(now, "key")) == 0)
        return;
    while (count < json_array_size(id) && count < MAX_ID_COLUMNS) {
        columns_of_id[count] = json_string_value(json_array_get(id, count));
        count++;
    }
    change->former_key = mem_strdup(text_of(before, "key"));
    change->former_id = array_literal(columns_of_id, count);
}

void shape_compare(const char *before, const char *now, struct shape_change *ret_change)
{
    json_t *old_shape = json_loads(before, 0, NULL), *new_shape = json_loads(now, 0, NULL);
    struct buf documents = BUF_NONE, queues = BUF_NONE;

    *ret_change = (struct shape_change){0};
    compare_text(old_shape, new_shape, "source", "the source", &documents);
    compare_text(old_shape, new_shape, "key", "the key", &documents);
    compare_text(old_shape, new_shape, "rows", "rows", &documents);
    compare_id(old_shape, new_shape, &documents);
    compare_text(old_shape, new_shape, "expire_at", "expire_at", &documents);
    compare_grace(old_shape, new_shape, &documents);
    compare_columns(old_shape, new_shape, &documents);
    compare_queues(old_shape, new_shape, &queues);
    note_former(old_shape, new_shape, ret_change);
    ret_change->documents = taken(&documents);
    ret_change->queues = taken(&queues);
    json_decref(old_shape);
    json_decref(new_shape);
}

void shape_change_clear(struct shape_change *change)
{
    free(change->documents);
    free(change->queues);
    free(change->former_key);
    free(change->former_id);
    *change = (struct shape_change){0};
}
