#include "cdc/ddl.h"

#include <stdio.h>
#include <string.h>

#include "common/backoff.h"
#include "common/buf.h"

#define LOCK_TIMEOUT "500ms"
enum { LOCK_TRIES = 60, RETRY_FIRST_MS = 200, RETRY_LAST_MS = 2000 };

int ddl_lock(struct session *session, struct err *err)
{
    struct pg_query query = {.sql = "SELECT pg_advisory_lock(1885828470, 0)"};

    return pg_run(session->pg, &query, NULL, err);
}

char *ddl_in_transaction(const char *script)
{
    struct buf sql = BUF_NONE;

    buf_puts(&sql, "BEGIN;\nSET LOCAL lock_timeout = '" LOCK_TIMEOUT "';\n");
    buf_puts(&sql, script);
    buf_puts(&sql, "COMMIT;\n");
    return buf_take(&sql);
}

static bool is_lock_timeout(const struct err *err)
{
    return strstr(err->text, "SQLSTATE 55P03") || strstr(err->text, "SQLSTATE 40P01");
}

/* A simple-protocol script stops at its first error and leaves the transaction to be rolled back. */
int ddl_run(struct session *session, const char *transaction, struct err *err)
{
    struct pg_query query = {.sql = transaction, .script = true};
    struct pg_query rollback = {.sql = "ROLLBACK"};
    const bool never = false;
    struct backoff backoff;

    backoff_init(&backoff, RETRY_FIRST_MS, RETRY_LAST_MS);
    for (int attempt = 1;; attempt++) {
        struct err failed = ERR_NONE, ignored = ERR_NONE;

        if (pg_run(session->pg, &query, NULL, &failed) == 0)
            return 0;
        pg_run(session->pg, &rollback, NULL, &ignored);
        if (!is_lock_timeout(&failed) || attempt == LOCK_TRIES) {
            err_copy(err, &failed);
            return -1;
        }
        fprintf(stderr, "pgusher: a table is in use (try %d of %d); trying again: %s\n", attempt, LOCK_TRIES,
                failed.text);
        session_wait(session, &never, backoff_next(&backoff));
    }
}
