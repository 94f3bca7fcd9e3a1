/* Items and ages as people and programs can read them. Items are bytes; what is printed never moves the
 * cursor of a terminal, and JSON is always valid UTF-8. */
#ifndef PGUSHER_QUEUE_TOOL_TEXT_H
#define PGUSHER_QUEUE_TOOL_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "common/buf.h"

/* For plain output: control characters and bytes that are no UTF-8 become \x0a, \ becomes \\. */
void text_escape(struct buf *buf, const char *data, size_t len);
/* The same as a new text; the caller frees. */
char *text_escaped(const char *data, size_t len);
/* For messages, which may hold anybody's data and lines of their own: \ and the end of a line stay. The
 * caller frees. */
char *text_shown(const char *text);
/* A copy in which each text, names of members among them, is escaped. */
json_t *text_escaped_json(const json_t *value);

/* For JSON: each byte that is no UTF-8 becomes U+FFFD. Never NULL. */
json_t *text_json(const char *data, size_t len);
/* What is JSON but for such bytes, with which jansson would refuse all of it. NULL: it is none. */
json_t *text_parsed_json(const char *text);

/* "3.2 s", "5.0 min"; "-" below 0. The caller frees. */
char *text_age(int64_t ms);
/* "2026-03-01T10:00:00Z", or "-" below 0. The caller frees. */
char *text_time(int64_t ms_since_1970);

#endif
