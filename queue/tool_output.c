#include "queue/tool_output.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "queue/tool_text.h"

/* ---- JSON ---- */

static bool has_json;

static void print_compact(json_t *value)
{
    has_json = true;
    json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
    json_decref(value);
}

void output_json(json_t *value)
{
    print_compact(value);
    putchar('\n');
}

bool output_is_broken(void)
{
    return ferror(stdout) != 0;
}

static bool reader_is_gone(void)
{
    struct pollfd out = {STDOUT_FILENO, POLLOUT, 0};

    return poll(&out, 1, 0) == 1 && (out.revents & POLLERR);
}

bool output_failed(void)
{
    return (fflush(stdout) != 0 || output_is_broken()) && !reader_is_gone();
}

static json_t *errors;

void output_keep_error(const char *text)
{
    if (!errors)
        errors = json_array();
    json_array_append_new(errors, text_json(text, strlen(text)));
}

void output_end_errors(bool json)
{
    if (json && errors && !has_json)
        output_json(json_pack("{s:O}", "errors", errors));
    json_decref(errors);
    errors = NULL;
}

json_t *output_ms(int64_t ms)
{
    return ms < 0 ? json_null() : json_integer(ms);
}

void output_list_add(struct output_list *list, json_t *element)
{
    fputs(list->begun ? ",\n" : "[", stdout);
    list->begun = true;
    print_compact(element);
}

static bool is_answer(enum exit_code code)
{
    return code == EX_DONE || code == EX_NOT_SO;
}

void output_list_end(struct output_list *list, enum exit_code code)
{
    if (list->begun || is_answer(code))
        puts(list->begun ? "]" : "[]");
    has_json |= is_answer(code);
}

/* ---- tables ---- */

enum { ROWS_AT_ONCE = 1000 };

struct table {
    const struct table_column *columns;
    size_t ncolumns;
    size_t *widths;
    char **cells;
    size_t count;
    bool begun;
};

struct table *table_new(const struct table_column *columns, size_t ncolumns)
{
    struct table *table = mem_zalloc(sizeof(*table));

    table->columns = columns;
    table->ncolumns = ncolumns;
    table->widths = mem_zalloc(sizeof(*table->widths) * ncolumns);
    table->cells = mem_zalloc(sizeof(*table->cells) * ncolumns * (ROWS_AT_ONCE + 1));
    for (size_t i = 0; i < ncolumns; i++)
        table_cell(table, mem_strdup(columns[i].head));
    return table;
}

/* In characters, of valid UTF-8. */
static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void print_cell(const struct table *table, size_t column, const char *text)
{
    int missing = (int)(table->widths[column] - width_of(text));
    bool last = column + 1 == table->ncolumns;

    if (table->columns[column].number)
        printf("%*s%s%s", missing, "", text, last ? "\n" : "  ");
    else if (last)
        printf("%s\n", text);
    else
        printf("%s%*s  ", text, missing, "");
}

static void flush_rows(struct table *table, bool print)
{
    for (size_t i = 0; i < table->count; i++) {
        if (print)
            print_cell(table, i % table->ncolumns, table->cells[i]);
        free(table->cells[i]);
    }
    table->count = 0;
    table->begun = true;
}

void table_cell(struct table *table, char *text)
{
    size_t column = table->count % table->ncolumns;
    size_t width = width_of(text);

    if (table->count == table->ncolumns * (ROWS_AT_ONCE + 1))
        flush_rows(table, true);
    if (width > table->widths[column])
        table->widths[column] = width;
    table->cells[table->count++] = text;
}

void table_integer(struct table *table, long long value)
{
    table_cell(table, mem_printf("%lld", value));
}

void table_print(struct table *table, enum exit_code code)
{
    bool only_heads = !table->begun && table->count == table->ncolumns;

    flush_rows(table, is_answer(code) || !only_heads);
    free(table->widths);
    free(table->cells);
    free(table);
}
