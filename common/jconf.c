#include "common/jconf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/utf8.h"

enum { PATH_SHOWN = 180, NAME_SHOWN = 70, ARRAY_SHOWN = 200 }; /* bytes */

void jconf_insist(void)
{
    json_set_alloc_funcs(mem_alloc, free);
}

json_t *jconf_load(const char *file, struct problems *problems)
{
    json_error_t error;
    json_t *document;
    FILE *stream = fopen(file, "re");

    if (!stream) {
        problems_add(problems, PROBLEM_ERROR, "", "cannot read it: %s", strerror(errno));
        return NULL;
    }
    errno = 0;
    document = json_loadf(stream, JSON_REJECT_DUPLICATES, &error);
    if (ferror(stream)) /* a folder, say */
        problems_add(problems, PROBLEM_ERROR, "", "cannot read it: %s", strerror(errno));
    else if (!document)
        problems_add(problems, PROBLEM_ERROR, "", "line %d, column %d: %s", error.line, error.column,
                     error.text);
    fclose(stream);
    if (!document)
        return NULL;
    if (!json_is_object(document)) {
        problems_add(problems, PROBLEM_ERROR, "", "must be a JSON object { … }");
        json_decref(document);
        return NULL;
    }
    return document;
}

struct jnode jconf_root(json_t *document, struct problems *problems)
{
    struct jnode node = {document, "", problems};

    return node;
}

/* How much of a text is shown: whole characters, or the path could not be printed as JSON. */
static int shown(const char *text, size_t max)
{
    return (int)utf8_valid_length(text, strnlen(text, max));
}

struct jnode jconf_member(const struct jnode *object, const char *name)
{
    struct jnode node = {json_object_get(object->value, name), "", object->problems};
    int path = shown(object->path, PATH_SHOWN);

    snprintf(node.path, sizeof(node.path), "%.*s%s%.*s", path, object->path, path ? "." : "",
             shown(name, NAME_SHOWN), name);
    return node;
}

struct jnode jconf_item(const struct jnode *array, size_t index)
{
    struct jnode node = {json_array_get(array->value, index), "", array->problems};

    snprintf(node.path, sizeof(node.path), "%.*s[%zu]", shown(array->path, ARRAY_SHOWN), array->path, index);
    return node;
}

void jconf_problem(const struct jnode *node, const char *format, ...)
{
    char *text;
    va_list args;

    va_start(args, format);
    text = mem_vprintf(format, args);
    va_end(args);
    problems_add(node->problems, PROBLEM_ERROR, node->path, "%s", text);
    free(text);
}

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "a number";
    case JSON_REAL:
        return "a fraction";
    case JSON_NULL:
        return "null";
    default:
        return "true or false";
    }
}

static bool has_type(const struct jnode *node, bool right, const char *expected)
{
    if (!right)
        jconf_problem(node, "must be %s, not %s", expected, type_name(node->value));
    return right;
}

bool jconf_is_object(const struct jnode *node)
{
    return has_type(node, json_is_object(node->value), "an object { … }");
}

static bool is_known(const char *name, const char *const *known, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(known[i], name) == 0)
            return true;
    return false;
}

void jconf_known(const struct jnode *object, const char *const *known)
{
    const char *name;
    json_t *value;
    size_t count = 0;

    while (known[count])
        count++;
    json_object_foreach (object->value, name, value) {
        struct jnode node = jconf_member(object, name);
        const char *near = suggest(name, known, count);

        if (is_known(name, known, count))
            continue;
        if (near)
            jconf_problem(&node, "unknown key; did you mean \"%s\"?", near);
        else
            jconf_problem(&node, "unknown key");
    }
}

static char *copy_string(const struct jnode *node)
{
    if (!has_type(node, json_is_string(node->value), "a string"))
        return NULL;
    if (json_string_length(node->value) == 0) {
        jconf_problem(node, "must not be empty");
        return NULL;
    }
    return mem_strdup(json_string_value(node->value));
}

char *jconf_string(const struct jnode *object, const char *name, bool required)
{
    struct jnode node = jconf_member(object, name);

    if (node.value)
        return copy_string(&node);
    if (required)
        jconf_problem(&node, "is missing");
    return NULL;
}

int64_t jconf_integer(const struct jnode *object, const char *name, int64_t min, int64_t max,
                      int64_t otherwise)
{
    struct jnode node = jconf_member(object, name);
    int64_t value;

    if (!node.value || !has_type(&node, json_is_integer(node.value), "a whole number"))
        return otherwise;
    value = json_integer_value(node.value);
    if (value < min || value > max) {
        jconf_problem(&node, "must be from %lld to %lld", (long long)min, (long long)max);
        return otherwise;
    }
    return value;
}

bool jconf_bool(const struct jnode *object, const char *name, bool otherwise)
{
    struct jnode node = jconf_member(object, name);

    if (!node.value || !has_type(&node, json_is_boolean(node.value), "true or false"))
        return otherwise;
    return json_is_true(node.value);
}

int64_t jconf_duration_ms(const struct jnode *object, const char *name, int64_t otherwise)
{
    struct jnode node = jconf_member(object, name);
    int64_t ms;

    if (!node.value || !has_type(&node, json_is_string(node.value), "a duration such as \"10 days\""))
        return otherwise;
    if (duration_parse(json_string_value(node.value), &ms) != 0) {
        jconf_problem(&node,
                      "\"%s\" is no duration; write for example \"200 ms\", \"30 s\", \"5 min\", \"1 h\" or "
                      "\"10 days\"",
                      json_string_value(node.value));
        return otherwise;
    }
    return ms;
}

size_t jconf_strings(const struct jnode *node, char ***ret_list)
{
    size_t count = 0, items;

    *ret_list = NULL;
    if (!node->value)
        return 0;
    if (!json_is_string(node->value) &&
        !has_type(node, json_is_array(node->value), "a string or a list of strings"))
        return 0;
    items = json_is_array(node->value) ? json_array_size(node->value) : 1;
    *ret_list = mem_zalloc(sizeof(char *) * (items + 1));
    for (size_t i = 0; i < items; i++) {
        struct jnode item = json_is_array(node->value) ? jconf_item(node, i) : *node;
        char *text = copy_string(&item);

        if (text)
            (*ret_list)[count++] = text;
    }
    if (items == 0)
        jconf_problem(node, "must not be an empty list");
    return count;
}
