/* The lines of --docs: one JSON object per document, always valid UTF-8, whatever bytes Redis holds. Pure. */
#ifndef PGUSHER_CONSUME_LINE_H
#define PGUSHER_CONSUME_LINE_H

#include <stddef.h>

#include "common/buf.h"

struct line_word {
    const char *data; /* NULL: there is none */
    size_t len;
};

/* {"key":…,"op":"delete","version":…} and a line break. A version that is no integer is null. */
void line_put_delete(struct buf *line, struct line_word key, struct line_word version);
/* {"key":…,"op":"upsert","version":…,"doc":{…}} and a line break. `words` are names and values by turns, as
 * HGETALL gives them; of these _v is the version, and _d (a digest) is left out. */
void line_put_upsert(struct buf *line, struct line_word key, const struct line_word *words, size_t count);

#endif
