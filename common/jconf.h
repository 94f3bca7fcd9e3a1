/* Reading a JSON document whose every mistake is told with its path: a thin layer over jansson.
 *
 * A node is a place in the document: a JSON value and its path. Reading functions add to the problems list
 * and return NULL (or the default) when the value is absent or of another type; they never stop at the first
 * mistake. A node's strings live as long as the document.
 */
#ifndef PGUSHER_JCONF_H
#define PGUSHER_JCONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "common/problems.h"

/* What jansson lacks memory for ends the program, as in mem.h: it would leave out parts of what it reads and
 * writes, and few would notice. */
void jconf_insist(void);

struct jnode {
    json_t *value; /* NULL when absent */
    char path[256];
    struct problems *problems;
};

/* NULL, with a problem that names line and column, when the file cannot be read or is no JSON object. The
 * caller json_decref()s. */
json_t *jconf_load(const char *file, struct problems *problems);

struct jnode jconf_root(json_t *document, struct problems *problems);
struct jnode jconf_member(const struct jnode *object, const char *name); /* value NULL when absent */
struct jnode jconf_item(const struct jnode *array, size_t index);

void jconf_problem(const struct jnode *node, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether the node is a JSON object; otherwise says so. */
bool jconf_is_object(const struct jnode *node);
/* Says which members are none of `known` (NULL-terminated), with the nearest known one. */
void jconf_known(const struct jnode *object, const char *const *known);

/* A copy of a non-empty string, NULL when absent (a problem if `required`) or wrong. */
char *jconf_string(const struct jnode *object, const char *name, bool required);
int64_t jconf_integer(const struct jnode *object, const char *name, int64_t min, int64_t max,
                      int64_t otherwise);
bool jconf_bool(const struct jnode *object, const char *name, bool otherwise);
int64_t jconf_duration_ms(const struct jnode *object, const char *name, int64_t otherwise);
/* One string or a list of strings; *ret_list and its strings are the caller's. Returns the count, 0 when
 * absent. */
size_t jconf_strings(const struct jnode *node, char ***ret_list);

#endif
