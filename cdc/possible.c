#include "cdc/possible.h"

#include <stdlib.h>

#include "common/mem.h"

int possible_ids(struct session *session, const struct plan_projection *plan, const struct ids *ids,
                 bool *ret_possible, struct err *err)
{
    char *sql = mem_printf("SELECT FROM (%s) s LIMIT 0", plan->keys_by_id);
    char *arrays[MAX_ID_COLUMNS];
    struct pg_query query = {
        .sql = sql, .params = (const char *const *)arrays, .nparams = (int)plan->config->nid};
    struct err why = ERR_NONE;

    for (size_t i = 0; i < plan->config->nid; i++)
        arrays[i] = ids_array(ids, 0, ids_count(ids), i);
    *ret_possible = pg_run(session->pg, &query, NULL, &why) == 0;
    if (why.status != ST_REFUSED)
        err_copy(err, &why);
    for (size_t i = 0; i < plan->config->nid; i++)
        free(arrays[i]);
    free(sql);
    return err->status == ST_OK ? 0 : -1;
}
