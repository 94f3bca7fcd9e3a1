/* Reading rows, and waiting for them, see pg.h. */
#include <libpq-fe.h>
#include <stdlib.h>

#include "common/mem.h"
#include "common/pg_private.h"

int pg_rows_count(const struct pg_rows *rows)
{
    return PQntuples(rows->result);
}

int pg_rows_columns(const struct pg_rows *rows)
{
    return PQnfields(rows->result);
}

const char *pg_rows_name(const struct pg_rows *rows, int column)
{
    return PQfname(rows->result, column);
}

const char *pg_rows_get(const struct pg_rows *rows, int row, int column, size_t *ret_len)
{
    if (PQgetisnull(rows->result, row, column))
        return NULL;
    if (ret_len)
        *ret_len = (size_t)PQgetlength(rows->result, row, column);
    return PQgetvalue(rows->result, row, column);
}

void pg_rows_free(struct pg_rows *rows)
{
    if (!rows)
        return;
    PQclear(rows->result);
    free(rows);
}

struct waiting {
    bool done;
    struct pg_rows *rows;
    struct err *err;
};

static void on_waited(void *arg, const struct pg_rows *rows, const struct err *err)
{
    struct waiting *waiting = arg;
    struct pg_rows *given = (struct pg_rows *)rows;

    waiting->done = true;
    if (err) {
        err_copy(waiting->err, err);
        return;
    }
    if (!rows)
        return;
    waiting->rows = mem_zalloc(sizeof(*waiting->rows));
    waiting->rows->result = given->result;
    given->result = NULL;
}

int pg_run(struct pg *pg, const struct pg_query *query, struct pg_rows **ret_rows, struct err *err)
{
    struct err failed = ERR_NONE;
    struct waiting waiting = {false, NULL, &failed};

    pg_send(pg, query, on_waited, &waiting);
    loop_run_until(pg->loop, &waiting.done);
    pg->answers++;
    if (failed.status != ST_OK) {
        err_copy(err, &failed);
        return -1;
    }
    if (ret_rows)
        *ret_rows = waiting.rows;
    else
        pg_rows_free(waiting.rows);
    return 0;
}
