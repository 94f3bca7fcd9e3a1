#include "cdc/batch.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/document.h"
#include "cdc/quarantine.h"
#include "cdc/snapshot.h"
#include "common/mem.h"

struct batch {
    struct session *session;
    struct sink *sink;
    struct quarantine *quarantine;
    struct document document;
};

/* One SELECT under way. */
struct reading {
    struct batch *batch;
    const struct plan_projection *projection;
    int64_t version;       /* -1 until the first row told it */
    const struct ids *ids; /* what was asked for; NULL when reading in order */
    size_t first;
    size_t asked; /* how many of ids, from first on */
    bool *seen;   /* per asked id */
    char **last;  /* id of the last row when reading in order */
    size_t count;
    bool done;
    struct err err;
};

static void on_refused(void *arg, const struct plan_projection *projection, const char *key,
                       const char *error)
{
    struct batch *batch = arg;

    quarantine_add(batch->quarantine, projection->config->name, key, error);
}

static void on_pressure(void *arg, bool wait)
{
    struct batch *batch = arg;

    if (wait)
        pg_pause(batch->session->pg);
    else
        pg_resume(batch->session->pg);
}

static const struct sink_handlers sink_handlers = {on_refused, on_pressure};

struct batch *batch_new(struct session *session, bool queue_all)
{
    struct batch *batch = mem_zalloc(sizeof(*batch));

    batch->session = session;
    batch->quarantine = quarantine_new(session);
    batch->sink =
        sink_new(session->rconn, session->config, queue_all, &session->tally, &sink_handlers, batch);
    return batch;
}

void batch_refuse(struct batch *batch, const char *projection, const char *key, const char *error)
{
    quarantine_add(batch->quarantine, projection, key, error);
}

void batch_free(struct batch *batch)
{
    if (!batch)
        return;
    sink_free(batch->sink);
    quarantine_free(batch->quarantine);
    document_free(&batch->document);
    free(batch);
}

/* ---- rows ---- */

static void read_version(struct reading *reading, const char *snapshot)
{
    struct session *session = reading->batch->session;
    int64_t ordinal = snapshot_ordinal(snapshot);

    reading->version = version_make(session->epoch, ordinal);
    if (ordinal > session->ordinal)
        session->ordinal = ordinal;
    if (reading->version < 0)
        err_set(&reading->err, ST_CONFIG, "no version can be made from epoch %lld and snapshot %s",
                (long long)session->epoch, snapshot);
}

/* Why this key cannot be told from another one; NULL when it can. */
static const char *what_is_ambiguous(const struct reading *reading, const char *const *id)
{
    const struct document *document = &reading->batch->document;

    if (!plan_key_survives(reading->projection, id))
        return "a value of the id holds the text that separates the columns of the key, so the key could not "
               "be "
               "turned back";
    if (plan_key_rival(reading->batch->session->plan, reading->projection, document->key.data,
                       document->key.len))
        return "this key is of the form of another projection's keys, too, and belongs to that one";
    return NULL;
}

static void put_document(struct reading *reading)
{
    struct batch *batch = reading->batch;
    struct document *document = &batch->document;
    const char *name = reading->projection->config->name;
    const char *ambiguous = what_is_ambiguous(reading, document->id);

    if (ambiguous) {
        quarantine_add(batch->quarantine, name, document->key.data, ambiguous);
        return;
    }
    sink_put(batch->sink, reading->projection, document->key.data, reading->version, document->expire_ms,
             &document->fields, document->nfields);
    quarantine_built(batch->quarantine, name, document->key.data);
}

static void refuse_duplicate(struct reading *reading)
{
    quarantine_add(reading->batch->quarantine, reading->projection->config->name,
                   reading->batch->document.key.data,
                   "the source has several rows with this id; make the id unique (there is one hash per id)");
}

static bool is_repeated(struct reading *reading)
{
    const char **id = reading->batch->document.id;
    int64_t index;

    if (!reading->ids) {
        bool same = reading->last != NULL;

        for (size_t i = 0; same && i < reading->projection->config->nid; i++)
            same = strcmp(reading->last[i], id[i]) == 0;
        return same;
    }
    index = ids_find(reading->ids, id) - (int64_t)reading->first;
    if (index < 0 || index >= (int64_t)reading->asked)
        return false; /* equal to what was asked for, but written differently */
    if (reading->seen[index])
        return true;
    reading->seen[index] = true;
    return false;
}

static void remember_last(struct reading *reading)
{
    size_t n = reading->projection->config->nid;

    if (!reading->last)
        reading->last = mem_zalloc(sizeof(char *) * n);
    for (size_t i = 0; i < n; i++) {
        free(reading->last[i]);
        reading->last[i] = mem_strdup(reading->batch->document.id[i]);
    }
}

static void on_row(struct reading *reading, const struct pg_rows *rows, int row)
{
    const char *snapshot = pg_rows_get(rows, row, DOC_SNAPSHOT, NULL);

    if (snapshot) {
        read_version(reading, snapshot);
        return;
    }
    if (reading->version < 0) {
        err_set(&reading->err, ST_CONFIG, "the snapshot did not come first");
        return;
    }
    document_read(&reading->batch->document, reading->projection, rows, row);
    reading->count++;
    if (is_repeated(reading))
        refuse_duplicate(reading);
    else
        put_document(reading);
    if (!reading->ids)
        remember_last(reading);
}

static void on_rows(void *arg, const struct pg_rows *rows)
{
    struct reading *reading = arg;

    if (!session_is_current(reading->batch->session))
        err_copy(&reading->err, &reading->batch->session->why_lost);
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

static int read_documents(struct reading *reading, const char *suffix, const char *sql,
                          const char *const *params, size_t nparams, struct err *err)
{
    char *name = mem_printf("%s%s", reading->projection->select_name, suffix);
    struct pg_query query = {.sql = sql, .name = name, .params = params, .nparams = (int)nparams};

    reading->version = -1;
    reading->done = false;
    pg_stream(reading->batch->session->pg, &query, on_rows, on_done, reading);
    loop_run_until(reading->batch->session->loop, &reading->done);
    free(name);
    if (reading->err.status == ST_OK)
        return 0;
    err_copy(err, &reading->err);
    return -1;
}

/* ---- by id ---- */

static void remove_missing(struct reading *reading)
{
    struct batch *batch = reading->batch;

    for (size_t i = 0; i < reading->asked; i++) {
        if (reading->seen[i])
            continue;
        buf_clear(&batch->document.key);
        plan_render_key(reading->projection, ids_get(reading->ids, reading->first + i), &batch->document.key);
        if (!what_is_ambiguous(reading, ids_get(reading->ids, reading->first + i)))
            sink_remove(batch->sink, reading->projection, batch->document.key.data, reading->version);
        quarantine_built(batch->quarantine, reading->projection->config->name, batch->document.key.data);
    }
}

static int select_by_id(struct batch *batch, const struct plan_projection *projection, const struct ids *ids,
                        size_t first, size_t count, struct err *err)
{
    struct reading reading = {.batch = batch,
                              .projection = projection,
                              .ids = ids,
                              .first = first,
                              .asked = count,
                              .err = ERR_NONE};
    size_t n = projection->config->nid;
    char *arrays[MAX_ID_COLUMNS];
    int result;

    reading.seen = mem_zalloc(sizeof(bool) * count);
    for (size_t i = 0; i < n; i++)
        arrays[i] = ids_array(ids, first, count, i);
    result = read_documents(&reading, "", projection->select_by_id, (const char *const *)arrays, n, err);
    if (result == 0)
        remove_missing(&reading);
    for (size_t i = 0; i < n; i++)
        free(arrays[i]);
    free(reading.seen);
    return result;
}

static int apply_range(struct batch *batch, const struct plan_projection *projection, const struct ids *ids,
                       size_t first, size_t count, struct err *err);

static int halve(struct batch *batch, const struct plan_projection *projection, const struct ids *ids,
                 size_t first, size_t count, const struct err *why, struct err *err)
{
    struct buf key = BUF_NONE;

    if (count > 1) {
        size_t half = count / 2;

        return apply_range(batch, projection, ids, first, half, err) != 0
                   ? -1
                   : apply_range(batch, projection, ids, first + half, count - half, err);
    }
    plan_render_key(projection, ids_get(ids, first), &key);
    quarantine_add(batch->quarantine, projection->config->name, key.data, why->text);
    buf_free(&key);
    return 0;
}

static int apply_range(struct batch *batch, const struct plan_projection *projection, const struct ids *ids,
                       size_t first, size_t count, struct err *err)
{
    struct err why = ERR_NONE;

    if (select_by_id(batch, projection, ids, first, count, &why) == 0)
        return 0;
    if (why.status == ST_REFUSED)
        return halve(batch, projection, ids, first, count, &why, err);
    err_copy(err, &why);
    err_context(err, "projection %s", projection->config->name);
    return -1;
}

int batch_apply_ids(struct batch *batch, size_t projection, const struct ids *ids, struct err *err)
{
    const struct plan_projection *plan = &batch->session->plan->projections[projection];
    size_t total = ids_count(ids);

    for (size_t first = 0; first < total; first += BATCH_IDS) {
        size_t count = total - first < BATCH_IDS ? total - first : BATCH_IDS;

        if (apply_range(batch, plan, ids, first, count, err) != 0)
            return -1;
    }
    sink_send(batch->sink);
    return 0;
}

/* ---- in order ---- */

void batch_position_free(const struct plan_projection *projection, char **position)
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

/* The same stretch by its ids, so that a row that fails can be found. */
static int apply_ids_after(struct batch *batch, size_t projection, char ***after, size_t *ret_count,
                           struct err *err)
{
    const struct plan_projection *plan = &batch->session->plan->projections[projection];
    struct pg_query query = {.sql = *after ? plan->ids_after : plan->ids_first,
                             .params = (const char *const *)*after,
                             .nparams = *after ? (int)plan->config->nid : 0};
    struct ids *ids = ids_new(plan->config->nid);
    struct pg_rows *rows = NULL;
    int result;

    result = pg_run(batch->session->pg, &query, &rows, err);
    for (int row = 0; result == 0 && row < pg_rows_count(rows); row++) {
        const char *values[MAX_ID_COLUMNS];

        for (size_t i = 0; i < plan->config->nid; i++)
            values[i] = pg_rows_get(rows, row, (int)i, NULL);
        ids_add(ids, values);
    }
    if (result == 0)
        result = batch_apply_ids(batch, projection, ids, err);
    if (result == 0 && ids_count(ids)) {
        batch_position_free(plan, *after);
        *after = copy_position(plan, ids_get(ids, ids_count(ids) - 1));
    }
    *ret_count = result == 0 ? (size_t)pg_rows_count(rows) : 0;
    pg_rows_free(rows);
    ids_free(ids);
    return result;
}

int batch_apply_after(struct batch *batch, size_t projection, char ***after, size_t *ret_count,
                      struct err *err)
{
    const struct plan_projection *plan = &batch->session->plan->projections[projection];
    struct reading reading = {.batch = batch, .projection = plan, .err = ERR_NONE};
    struct err why = ERR_NONE;

    if (read_documents(&reading, *after ? "_after" : "_first",
                       *after ? plan->select_after : plan->select_first, (const char *const *)*after,
                       *after ? plan->config->nid : 0, &why) != 0) {
        batch_position_free(plan, reading.last);
        if (why.status == ST_REFUSED)
            return apply_ids_after(batch, projection, after, ret_count, err);
        err_copy(err, &why);
        err_context(err, "projection %s", plan->config->name);
        return -1;
    }
    *ret_count = reading.count;
    if (reading.last) {
        batch_position_free(plan, *after);
        *after = reading.last;
    }
    return 0;
}

int batch_finish(struct batch *batch, struct err *err)
{
    if (sink_enqueue(batch->sink, err) != 0)
        return -1;
    return quarantine_flush(batch->quarantine, err);
}
