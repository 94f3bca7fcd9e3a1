/* What `pgusher check` says of the tables behind the sources: the commonest way to a stale document is a
 * table that a view reads and nobody watches. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/check.h"
#include "cdc/sql/texts.h"
#include "common/mem.h"

enum { READ_SOURCE, READ_TABLE, READ_QUALIFIED, READ_KIND };
enum { MORE_SOURCE, MORE_KIND, MORE_WHAT, MORE_OTHER };

struct coverage {
    const struct catalog *catalog;
    const struct projection *projection;
    const struct pg_rows *more; /* answer to check_reads.sql */
    const char *source_oid;
    char *place;
    struct problems *problems;
};

static bool is_more(const struct coverage *coverage, int row, const char *kind)
{
    return strcmp(pg_rows_get(coverage->more, row, MORE_KIND, NULL), kind) == 0 &&
           strcmp(pg_rows_get(coverage->more, row, MORE_SOURCE, NULL), coverage->source_oid) == 0;
}

/* ---- tables ---- */

/* Row triggers on a partitioned table reach its partitions. */
static bool is_part_of(const struct coverage *coverage, const char *oid, const char *whole)
{
    for (int row = 0; row < pg_rows_count(coverage->more); row++)
        if (is_more(coverage, row, "within") &&
            strcmp(pg_rows_get(coverage->more, row, MORE_WHAT, NULL), oid) == 0 &&
            strcmp(pg_rows_get(coverage->more, row, MORE_OTHER, NULL), whole) == 0)
            return true;
    return false;
}

static bool is_watched(const struct coverage *coverage, const char *oid)
{
    for (size_t i = 0; i < coverage->projection->nwatches; i++) {
        const char *watched = catalog_find(coverage->catalog, coverage->projection->watches[i].table)->oid;

        if (strcmp(watched, oid) == 0 || is_part_of(coverage, oid, watched))
            return true;
    }
    return false;
}

static const char *why_not_captured(char kind)
{
    switch (kind) {
    case 'm':
        return "is a materialized view: it changes with REFRESH, which cannot be captured; run pgusher "
               "backfill after each, or read the tables behind it";
    case 'f':
        return "is a foreign table: what changes on its server is not captured; run pgusher backfill from "
               "time to time";
    default:
        return "is no plain table: its changes cannot be captured";
    }
}

static void report_read(const struct coverage *coverage, const struct pg_rows *reads, int row)
{
    const char *source = coverage->projection->source;
    const char *table = pg_rows_get(reads, row, READ_QUALIFIED, NULL);
    char kind = pg_rows_get(reads, row, READ_KIND, NULL)[0];

    if (!strchr("rp", kind))
        problems_add(coverage->problems, PROBLEM_WARNING, coverage->place, "the source %s reads %s, which %s",
                     source, table, why_not_captured(kind));
    else if (!is_watched(coverage, pg_rows_get(reads, row, READ_TABLE, NULL)))
        problems_add(coverage->problems, PROBLEM_WARNING, coverage->place,
                     "the source %s reads table %s, but no watch covers it: its changes will not refresh "
                     "these documents",
                     source, table);
}

/* ---- what hides behind them ---- */

static void report_more(const struct coverage *coverage, int row)
{
    const char *source = coverage->projection->source;
    const char *what = pg_rows_get(coverage->more, row, MORE_WHAT, NULL);

    if (is_more(coverage, row, "heirs"))
        problems_add(coverage->problems, PROBLEM_WARNING, coverage->place,
                     "the source %s reads table %s with what inherits from it (%s), where no trigger of it "
                     "fires: write FROM ONLY in the view, or watch these as well",
                     source, what, pg_rows_get(coverage->more, row, MORE_OTHER, NULL));
    else if (is_more(coverage, row, "function"))
        problems_add(coverage->problems, PROBLEM_WARNING, coverage->place,
                     "the source %s calls %s, which may read any table: see that there is a watch for each "
                     "that it reads (one that reads none is IMMUTABLE)",
                     source, what);
}

static void check_projection(struct coverage *coverage, const struct pg_rows *reads)
{
    for (int row = 0; row < pg_rows_count(reads); row++)
        if (strcmp(coverage->source_oid, pg_rows_get(reads, row, READ_SOURCE, NULL)) == 0)
            report_read(coverage, reads, row);
    for (int row = 0; row < pg_rows_count(coverage->more); row++)
        report_more(coverage, row);
}

static int ask(struct session *session, const char *sql, const char *oids, struct pg_rows **ret_rows,
               struct err *err)
{
    struct pg_query query = {.sql = sql, .params = &oids, .nparams = 1};

    return pg_run(session->pg, &query, ret_rows, err);
}

/* PostgreSQL has no trigger on a partition beside that of the whole. */
static void check_partitions(struct session *session, const struct catalog *catalog,
                             struct problems *problems, struct err *err)
{
    char *watched = check_watched_oids(session->config, catalog);
    struct pg_rows *rows = NULL;

    if (ask(session,
            "SELECT part::regclass, a.relid FROM unnest($1::oid[]) part"
            " CROSS JOIN LATERAL pg_partition_ancestors(part) a"
            " WHERE a.relid <> part AND a.relid = ANY ($1::oid[])",
            watched, &rows, err) == 0)
        for (int row = 0; row < pg_rows_count(rows); row++)
            problems_add(problems, PROBLEM_ERROR, "",
                         "table %s is watched, and %s, of which it is a partition, too: watch only the whole",
                         pg_rows_get(rows, row, 0, NULL), pg_rows_get(rows, row, 1, NULL));
    pg_rows_free(rows);
    free(watched);
}

void check_coverage(struct session *session, const struct catalog *catalog, struct problems *problems,
                    struct err *err)
{
    char *oids = needs_source_oids(session->config, catalog);
    struct pg_rows *reads = NULL, *more = NULL;

    check_partitions(session, catalog, problems, err);
    if (err->status == ST_OK && ask(session, sql_view_reads, oids, &reads, err) == 0 &&
        ask(session, sql_check_reads, oids, &more, err) == 0)
        for (size_t i = 0; i < session->config->nprojections; i++) {
            const struct projection *projection = &session->config->projections[i];
            struct coverage coverage = {catalog,
                                        projection,
                                        more,
                                        catalog_find(catalog, projection->source)->oid,
                                        mem_printf("projections.%s.watch", projection->name),
                                        problems};

            check_projection(&coverage, reads);
            free(coverage.place);
        }
    pg_rows_free(more);
    pg_rows_free(reads);
    free(oids);
}
