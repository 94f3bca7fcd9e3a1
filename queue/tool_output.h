/* What the verbs of pgusher and pgusher-queue print: JSON, lists that may be long, and tables. All to stdout;
 * after a failed write the rest is not printed, and output_failed says so. */
#ifndef PGUSHER_QUEUE_TOOL_OUTPUT_H
#define PGUSHER_QUEUE_TOOL_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "common/status.h"

/* One line of JSON; takes the value. */
void output_json(json_t *value);
bool output_is_broken(void); /* nothing more can be written */
/* At the end: whether something was not written. Who closed the pipe has read what he wanted. */
bool output_failed(void);
/* What was said to have gone wrong. At the end, with --json, whoever failed before he printed JSON prints
 * {"errors": [all of it]}, so that a program that reads the output always has some. */
void output_keep_error(const char *text);
void output_end_errors(bool json);

json_t *output_ms(int64_t ms); /* null below 0 */

/* A JSON array, an element a line, that is printed as it comes. */
struct output_list {
    bool begun;
};

void output_list_add(struct output_list *list, json_t *element); /* takes it */
/* No list is printed if the verb failed before the first element: no answer is not an empty one. */
void output_list_end(struct output_list *list, enum exit_code code);

/* A table, aligned within each thousand rows. Numbers stand to the right. */
struct table_column {
    const char *head;
    bool number;
};

struct table;

struct table *table_new(const struct table_column *columns, size_t ncolumns); /* the columns outlive it */
void table_cell(struct table *table, char *text); /* the next one, row by row; takes it */
void table_integer(struct table *table, long long value);
/* The rest, and frees it; nothing if the verb failed before the first row. */
void table_print(struct table *table, enum exit_code code);

#endif
