/* Quoting of texts for SQL that is composed, not parameterised. standard_conforming_strings is on. */

#include "common/buf.h"
#include "common/pg.h"

static void put_doubled(struct buf *buf, const char *text, char quote)
{
    buf_putc(buf, quote);
    for (; *text; text++) {
        if (*text == quote)
            buf_putc(buf, quote);
        buf_putc(buf, *text);
    }
    buf_putc(buf, quote);
}

void pg_put_literal(struct buf *buf, const char *text)
{
    put_doubled(buf, text, '\'');
}

void pg_put_identifier(struct buf *buf, const char *name)
{
    put_doubled(buf, name, '"');
}

void pg_put_array_element(struct buf *buf, const char *text, size_t len)
{
    buf_putc(buf, '"');
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"' || text[i] == '\\')
            buf_putc(buf, '\\');
        buf_putc(buf, text[i]);
    }
    buf_putc(buf, '"');
}
