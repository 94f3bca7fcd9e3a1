/* What `pgusher check` reads from the plans of a projection's statements. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cdc/check.h"
#include "common/mem.h"

enum { LARGE_TABLE_ROWS = 10000 };

/* The server is full, say. A timeout (57014) is the statement's fault. */
static bool is_temporary(const struct err *why)
{
    return why->status == ST_LOST || (why->status == ST_AGAIN && !strstr(why->text, "SQLSTATE 57014"));
}

int check_try(struct session *session, const struct pg_query *query, struct pg_rows **ret_rows,
              struct err *ret_why, struct err *err)
{
    int result = -1;

    check_set(session, "RESET search_path", err);
    if (err->status == ST_OK)
        result = pg_run(session->pg, query, ret_rows, ret_why);
    if (is_temporary(ret_why))
        err_copy(err, ret_why);
    check_set(session, "SET search_path = pg_catalog, pg_temp", err);
    if (err->status != ST_OK)
        ret_why->status = ST_LOST;
    return result;
}

void check_set(struct session *session, const char *sql, struct err *err)
{
    struct pg_query query = {.sql = sql};

    if (err->status == ST_OK)
        pg_run(session->pg, &query, NULL, err);
}

/* ---- which column an index would be on ---- */

static bool is_name_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (c & 0x80);
}

/* How long the identifier is that begins here. */
static size_t name_length(const char *text)
{
    size_t len = 1;

    if (*text != '"') {
        for (len = 0; is_name_byte(text[len]);)
            len++;
        return len;
    }
    while (text[len] && (text[len] != '"' || text[len + 1] == '"'))
        len += text[len] == '"' ? 2 : 1;
    return text[len] ? len + 1 : len;
}

/* The column of "(alias.column = …", if it stands before a comparison that an index can help; NULL. */
static char *compared_column(const char *text, const char *alias)
{
    size_t len = strlen(alias), name;

    if (strncmp(text, alias, len) != 0 || text[len] != '.')
        return NULL;
    name = name_length(text + len + 1);
    text += len + 1;
    return text[name] == ' ' && strchr("=<>", text[name + 1]) && strncmp(text + name, " <> ", 4) != 0
               ? mem_strndup(text, name)
               : NULL;
}

/* The one column of the scanned table that the filter compares; NULL when there are none or several. */
static char *filter_column(const json_t *scan)
{
    const char *filter = json_string_value(json_object_get(scan, "Filter"));
    const char *alias = json_string_value(json_object_get(scan, "Alias"));
    char *plain = mem_strdup(alias ? alias : ""), *quoted = mem_printf("\"%s\"", plain), *found = NULL;

    for (const char *at = filter; at && *at; at++) {
        char *column = *at == '(' ? compared_column(at + 1, plain) : NULL;

        if (!column && *at == '(')
            column = compared_column(at + 1, quoted);
        if (column && found && strcmp(column, found) != 0) {
            free(column);
            free(found);
            found = NULL;
            break;
        }
        if (column) {
            free(found);
            found = column;
        }
    }
    free(plain);
    free(quoted);
    return found;
}

/* ---- scans ---- */

struct scan {
    struct plans *plans;
    const struct statement *statement;
    const char *schema;
    const char *table;
    char *column; /* NULL: not known */
};

static void report(const struct scan *scan, const char *qualified, const char *rows, bool plain)
{
    const struct statement *statement = scan->statement;
    char *cause = plain && scan->column ? mem_printf("%s (%s)", qualified, scan->column)
                                        : mem_printf("%s %s", qualified, statement->place);

    if (!names_have(&scan->plans->told, cause)) {
        if (plain && scan->column)
            problems_add(scan->plans->problems, PROBLEM_WARNING, statement->place,
                         "%s is a sequential scan of %s (about %s rows) each time; an index is missing: "
                         "CREATE INDEX ON %s;",
                         statement->what, qualified, rows, cause);
        else
            problems_add(scan->plans->problems, PROBLEM_WARNING, statement->place,
                         "%s is a sequential scan of %s (about %s rows) each time; is an index missing?",
                         statement->what, qualified, rows);
        names_add(&scan->plans->told, cause);
    }
    free(cause);
}

static void report_if_large(const struct scan *scan, struct err *err)
{
    const char *const params[] = {scan->schema, scan->table};
    struct pg_query query = {.sql = "SELECT c.reltuples::bigint, c.relkind = 'r' AND NOT c.relispartition,"
                                    " quote_ident(n.nspname) || '.' || quote_ident(c.relname)"
                                    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                                    " WHERE n.nspname = $1 AND c.relname = $2",
                             .params = params,
                             .nparams = 2};
    struct pg_rows *rows = NULL;

    if (pg_run(scan->plans->session->pg, &query, &rows, err) != 0)
        return;
    if (pg_rows_count(rows) == 1 && atoll(pg_rows_get(rows, 0, 0, NULL)) > LARGE_TABLE_ROWS)
        report(scan, pg_rows_get(rows, 0, 2, NULL), pg_rows_get(rows, 0, 0, NULL),
               pg_rows_get(rows, 0, 1, NULL)[0] == 't');
    pg_rows_free(rows);
}

static void find_scans(struct plans *plans, const struct statement *statement, const json_t *node,
                       bool sorted, struct err *err)
{
    const char *type = json_string_value(json_object_get(node, "Node Type"));
    json_t *child;
    size_t i;

    if (type && strcmp(type, "Seq Scan") == 0 && (sorted || !statement->in_order)) {
        struct scan scan = {plans, statement, json_string_value(json_object_get(node, "Schema")),
                            json_string_value(json_object_get(node, "Relation Name")),
                            sorted ? NULL : filter_column(node)};

        report_if_large(&scan, err);
        free(scan.column);
    }
    sorted = sorted || (statement->in_order && type && strcmp(type, "Sort") == 0);
    json_array_foreach (json_object_get(node, "Plans"), i, child)
        if (err->status == ST_OK)
            find_scans(plans, statement, child, sorted, err);
}

static void look_at_plan(struct plans *plans, const struct statement *statement, const char *text,
                         struct err *err)
{
    json_t *plan = json_loads(text, 0, NULL);

    find_scans(plans, statement, json_object_get(json_array_get(plan, 0), "Plan"), false, err);
    json_decref(plan);
}

void plans_check(struct plans *plans, const struct statement *statement, struct err *err)
{
    struct session *session = plans->session;
    char *text = mem_printf("PREPARE pgusher_check AS %s", statement->sql);
    struct buf explain = BUF_NONE;
    struct pg_query prepare = {.sql = text}, execute = {0};
    struct err why = ERR_NONE;
    struct pg_rows *rows = NULL;

    buf_puts(&explain, "EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE pgusher_check");
    for (size_t i = 0; i < statement->nparams; i++)
        buf_puts(&explain, i ? ", NULL" : "(NULL");
    buf_puts(&explain, statement->nparams ? ")" : "");
    execute.sql = explain.data;
    if (check_try(session, &prepare, NULL, &why, err) == 0) {
        if (check_try(session, &execute, &rows, &why, err) == 0)
            look_at_plan(plans, statement, pg_rows_get(rows, 0, 0, NULL), err);
        check_set(session, "DEALLOCATE pgusher_check", err);
    }
    if (why.status != ST_OK && why.status != ST_LOST)
        problems_add(plans->problems, PROBLEM_ERROR, statement->place, "%s", why.text);
    pg_rows_free(rows);
    buf_free(&explain);
    free(text);
}
