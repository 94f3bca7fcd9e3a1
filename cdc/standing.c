#include "cdc/standing.h"

#include <string.h>

#include "cdc/resume.h"
#include "cdc/sql/texts.h"
#include "queue/tool_text.h"

static const char not_installed[] =
    "pgusher is not installed in this database, or an older version of it is; run: pgusher install";

void standing_explain(struct err *err)
{
    static const char *const absent[] = {"42P01", "42703", "42883", "3F000"}; /* a table, a column … */

    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
        if (err->status == ST_CONFIG && strstr(err->text, absent[i])) {
            err_clear(err);
            err_set(err, ST_CONFIG, not_installed);
        }
    resume_explain_rights(err);
}

/* A dump may have left the rows behind. */
json_t *standing_take(const struct pg_rows *rows, struct err *err)
{
    if (pg_rows_count(rows))
        return text_parsed_json(pg_rows_get(rows, 0, 0, NULL));
    err_set(err, ST_CONFIG, not_installed);
    return NULL;
}

json_t *standing_ask(struct session *session, struct err *err)
{
    struct pg_query query = {.sql = sql_status};
    struct pg_rows *rows = NULL;
    json_t *standing;

    if (pg_run(session->pg, &query, &rows, err) != 0) {
        standing_explain(err);
        return NULL;
    }
    standing = standing_take(rows, err);
    pg_rows_free(rows);
    return standing;
}

long long standing_integer(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

const char *standing_text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}
