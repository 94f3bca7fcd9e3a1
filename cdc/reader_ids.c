#include <stdlib.h>

#include "cdc/reader_private.h"
#include "common/mem.h"

void reader_position_free(const struct plan_projection *projection, char **position)
{
    for (size_t i = 0; position && i < projection->config->nid; i++)
        free(position[i]);
    free(position);
}

static char **copy_position(const struct plan_projection *projection, const char *const *id)
{
    char **copy = mem_zalloc(sizeof(char *) * projection->config->nid);

    for (size_t i = 0; i < projection->config->nid; i++)
        copy[i] = mem_strdup(id[i]);
    return copy;
}

int reader_ids_after(struct reader *reader, size_t projection, const struct plan_stretch *stretch,
                     char ***after, size_t *ret_count, struct err *err)
{
    const struct plan_projection *plan = &reader->session->plan->projections[projection];
    char *sql = plan_sql_ids(plan, stretch, *after != NULL);
    struct pg_query query = {
        .sql = sql, .params = (const char *const *)*after, .nparams = *after ? (int)plan->config->nid : 0};
    struct ids *ids = ids_new(plan->config->nid);
    struct pg_rows *rows = NULL;
    struct err why = ERR_NONE;
    int result = pg_run(reader->session->pg, &query, &rows, &why);

    if (result != 0)
        reader_fail(reader, plan, &why, err);
    for (int row = 0; result == 0 && row < pg_rows_count(rows); row++) {
        const char *values[MAX_ID_COLUMNS];

        for (size_t i = 0; i < plan->config->nid; i++)
            values[i] = pg_rows_get(rows, row, (int)i, NULL);
        ids_add(ids, values);
    }
    if (result == 0)
        result = reader_ids(reader, projection, ids, err);
    if (result == 0 && ids_count(ids)) {
        reader_position_free(plan, *after);
        *after = copy_position(plan, ids_get(ids, ids_count(ids) - 1));
    }
    *ret_count = result == 0 ? (size_t)pg_rows_count(rows) : 0;
    pg_rows_free(rows);
    ids_free(ids);
    free(sql);
    return result;
}
