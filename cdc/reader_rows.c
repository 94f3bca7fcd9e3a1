/* What a row of a document SELECT is: see reader.h. */
#include <stdlib.h>
#include <string.h>

#include "cdc/metrics.h"
#include "cdc/reader_private.h"
#include "cdc/snapshot.h"
#include "common/clock.h"
#include "common/mem.h"

static void read_version(struct reading *reading, const char *snapshot)
{
    struct session *session = reading->reader->session;
    int64_t ordinal = snapshot_ordinal(snapshot);

    reading->version = version_make(session->epoch, ordinal);
    if (ordinal > session->ordinal)
        session->ordinal = ordinal;
    if (reading->version < 0)
        err_set(&reading->err, ST_CONFIG, "no version can be made from epoch %lld and snapshot %s",
                (long long)session->epoch, snapshot);
}

const char *const *reader_refused_id(const struct reader *reader)
{
    return reader->refused_id;
}

void reader_refuse(struct reader *reader, const struct plan_projection *projection, const char *const *id,
                   const char *key, const char *error)
{
    reader->refused_id = id;
    reader->handlers.refused(reader->arg, projection, key, error);
}

static const char *key_fault(const struct reader *reader, const struct plan_projection *projection,
                             bool survives, const struct buf *key)
{
    if (!survives)
        return "a value in the key holds the text that separates the columns of the key, so the key could "
               "not "
               "be turned back";
    if (plan_key_rival(reader->session->plan, projection, key->data, key->len))
        return "this key is of the form of another projection's keys, too, and belongs to that one";
    return NULL;
}

const char *reader_key_fault(const struct reader *reader, const struct plan_projection *projection,
                             const char *const *id, const struct buf *key)
{
    return key_fault(reader, projection, plan_key_survives(projection, id), key);
}

/* Whether an id was seen before, which it is from now on. */
static bool see_id(struct reading *reading)
{
    const char **id = reading->reader->document.id;
    bool before = false;
    int64_t index;

    if (!reading->ids) {
        before = reading->last != NULL;
        for (size_t i = 0; before && i < reading->projection->config->nid; i++)
            before = strcmp(reading->last[i], id[i]) == 0;
        return before;
    }
    index = ids_find(reading->ids, id) - (int64_t)reading->first;
    if (index < 0 || index >= (int64_t)reading->asked)
        return false; /* equal to what was asked for, but written differently */
    before = reading->seen[index];
    reading->seen[index] = true;
    return before;
}

static bool see_key(struct reading *reading)
{
    const char *const key[] = {reading->reader->document.key.data};
    bool before = ids_find(reading->keys, key) >= 0;

    ids_add(reading->keys, key);
    return before;
}

static const char *fault_of_row(struct reading *reading)
{
    const struct reader *reader = reading->reader;
    const struct document *document = &reader->document;
    bool known_id = see_id(reading);

    if (known_id && !reading->keys)
        return "the source has several rows with this id; make the id unique (there is one hash per id)";
    if (document->has_null)
        return "a row of this id has NULL in a column of the key";
    if (reading->keys && see_key(reading))
        return "the source has several rows with this key; make it unique (there is one hash per key)";
    return key_fault(reader, reading->projection,
                     template_survives(reading->projection->config->key, document->values), &document->key);
}

static void remember_last(struct reading *reading)
{
    size_t n = reading->projection->config->nid;

    if (!reading->last)
        reading->last = mem_zalloc(sizeof(char *) * n);
    for (size_t i = 0; i < n; i++) {
        free(reading->last[i]);
        reading->last[i] = mem_strdup(reading->reader->document.id[i]);
    }
}

static void tell_row(struct reading *reading, const struct pg_rows *rows, int row)
{
    struct reader *reader = reading->reader;
    struct document *document = &reader->document;
    const char *fault;

    document_read(document, reading->projection, rows, row);
    reading->count++;
    fault = fault_of_row(reading);
    if (fault)
        reader_refuse(reader, reading->projection, document->id, document->key.data, fault);
    else
        reader->handlers.document(reader->arg, reading->projection, document, reading->version);
    if (!reading->ids)
        remember_last(reading);
}

/* A statement that was prepared before the source was altered fails by itself; one that is prepared
 * afterwards gives columns that the plan takes for others. */
static void check_columns(struct reading *reading, const struct pg_rows *rows)
{
    const struct plan_projection *plan = reading->projection;
    bool same = (size_t)pg_rows_columns(rows) == DOC_FIRST + plan->ncolumns;

    for (size_t i = 0; same && i < plan->ncolumns; i++)
        same = strcmp(pg_rows_name(rows, DOC_FIRST + (int)i), plan->names[i]) == 0;
    if (same)
        return;
    err_set(&reading->err, ST_AGAIN, "%s was altered since its columns were read", plan->config->source);
    session_lose(reading->reader->session, &reading->err); /* only another one has another plan */
}

static void on_row(struct reading *reading, const struct pg_rows *rows, int row)
{
    const char *snapshot = pg_rows_get(rows, row, DOC_SNAPSHOT, NULL);

    if (snapshot) {
        check_columns(reading, rows);
        read_version(reading, snapshot);
        return;
    }
    if (reading->version < 0) {
        err_set(&reading->err, ST_CONFIG, "the snapshot did not come first");
        return;
    }
    tell_row(reading, rows, row);
}

static void on_rows(void *arg, const struct pg_rows *rows)
{
    struct reading *reading = arg;

    if (!session_is_current(reading->reader->session))
        err_copy(&reading->err, &reading->reader->session->why_lost);
    for (int row = 0; row < pg_rows_count(rows) && reading->err.status == ST_OK; row++)
        on_row(reading, rows, row);
}

static void on_done(void *arg, const struct pg_rows *rows, const struct err *err)
{
    struct reading *reading = arg;

    (void)rows;
    reading->done = true;
    if (err)
        err_copy(&reading->err, err);
}

int reader_select(struct reading *reading, const char *name, const char *sql, const char *const *params,
                  size_t nparams, struct err *err)
{
    struct pg_query query = {.sql = sql, .name = name, .params = params, .nparams = (int)nparams};
    int64_t since_us = clock_mono_us();

    reading->version = -1;
    reading->done = false;
    pg_stream(reading->reader->session->pg, &query, on_rows, on_done, reading);
    loop_run_until(reading->reader->session->loop, &reading->done);
    metrics_stage(STAGE_SELECT, since_us);
    if (reading->err.status == ST_OK)
        return 0;
    err_copy(err, &reading->err);
    return -1;
}
