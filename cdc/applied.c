#include "cdc/applied.h"

#include <stdlib.h>

#include "cdc/snapshot.h"
#include "cdc/sql/texts.h"
#include "common/mem.h"

enum { APPLIED_ALL, APPLIED_BACKFILLING, APPLIED_WORKERS, APPLIED_WHERE };

int applied_ask(struct session *session, const char *snapshot, const char *projection,
                struct applied *ret_applied, struct err *err)
{
    const char *const params[] = {session->config->fleet, snapshot, projection};
    struct pg_query query = {.sql = sql_applied, .name = "applied", .params = params, .nparams = 3};
    struct pg_rows *rows = NULL;

    if (pg_run(session->pg, &query, &rows, err) != 0)
        return -1;
    if (pg_rows_count(rows) != 1) {
        pg_rows_free(rows);
        err_set(err, ST_CONFIG, "fleet \"%s\" was dropped meanwhile", session->config->fleet);
        return -1;
    }
    *ret_applied = (struct applied){
        .all = pg_rows_get(rows, 0, APPLIED_ALL, NULL)[0] == 't',
        .backfilling = pg_rows_get(rows, 0, APPLIED_BACKFILLING, NULL)[0] == 't',
        .workers = atoi(pg_rows_get(rows, 0, APPLIED_WORKERS, NULL)),
        .where = mem_strdup(pg_rows_get(rows, 0, APPLIED_WHERE, NULL)),
    };
    pg_rows_free(rows);
    return 0;
}

int applied_now(struct session *session, char **ret_snapshot, int64_t *ret_version, struct err *err)
{
    struct pg_query query = {.sql = "SELECT pg_current_snapshot()", .name = "now"};
    struct pg_rows *rows = NULL;

    if (pg_run(session->pg, &query, &rows, err) != 0)
        return -1;
    *ret_snapshot = mem_strdup(pg_rows_get(rows, 0, 0, NULL));
    *ret_version = version_make(session->epoch, snapshot_ordinal(*ret_snapshot));
    pg_rows_free(rows);
    return 0;
}
