/* Key templates: "event:{id}", "stock:{site}:{sku}". Renders a document's key from its id and turns a key
 * back into the id. Pure.
 *
 * {{ and }} stand for literal braces. Between two columns there must be a literal, or no key could be turned
 * back.
 */
#ifndef PGUSHER_TEMPLATE_H
#define PGUSHER_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/status.h"

struct key_template;

/* NULL with err (ST_CONFIG) set when the text is no invertible template. */
struct key_template *template_parse(const char *text, struct err *err);
void template_free(struct key_template *key); /* NULL-safe */

size_t template_columns(const struct key_template *key);
const char *template_column(const struct key_template *key, size_t index);

/* Appends the key for values[i] = value of column i. */
void template_render(const struct key_template *key, const char *const *values, struct buf *out);

/* Turns a key back: ret_values[i] gets the value of column i, to be freed by the caller. Each value ends at
 * the first place where the literal behind it stands, so a value that holds this literal does not come back
 * the same. 0, or -1 when the key is not of this form (nothing to free). */
int template_invert(const struct key_template *key, const char *text, size_t len, char **ret_values);

/* Whether rendering these values gives a key that turns back into them. */
bool template_survives(const struct key_template *key, const char *const *values);

/* Whether some key might be of both forms. Never false when one is; may be true when none is. */
bool template_may_overlap(const struct key_template *a, const struct key_template *b);
bool template_literal_has(const struct key_template *key, char c);
/* How much of a key of this form is fixed: of two forms that fit a key, the one with more says what it is. */
size_t template_literal_bytes(const struct key_template *key);

/* A glob pattern for SCAN that all keys of this template match; the caller frees. */
char *template_pattern(const struct key_template *key);

#endif
