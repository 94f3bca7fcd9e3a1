/* UTF-8, as strict as PostgreSQL and JSON are. Pure. */
#ifndef PGUSHER_UTF8_H
#define PGUSHER_UTF8_H

#include <stddef.h>

/* How many bytes from the start on are valid UTF-8 (RFC 3629: overlong forms and surrogates are not). */
size_t utf8_valid_length(const char *text, size_t len);

#endif
