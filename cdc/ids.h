/* A set of document ids: tuples of texts, each once, in the order they came. Pure.
 *
 * An id's values are NUL-terminated (PostgreSQL's text has no NUL) and live until ids_clear or ids_free. The
 * id of a document has no NULL among them; what a lookup is asked for may have.
 */
#ifndef PGUSHER_IDS_H
#define PGUSHER_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ids;

struct ids *ids_new(size_t columns); /* values per id, at least 1 */
void ids_free(struct ids *ids);      /* NULL-safe */
void ids_clear(struct ids *ids);

void ids_add(struct ids *ids, const char *const *values);
size_t ids_count(const struct ids *ids);
const char *const *ids_get(const struct ids *ids, size_t index);
int64_t ids_find(const struct ids *ids, const char *const *values); /* index, or -1 */

/* The array literal of one column of the ids from `first` on, `count` of them; the caller frees. */
char *ids_array(const struct ids *ids, size_t first, size_t count, size_t column);

#endif
