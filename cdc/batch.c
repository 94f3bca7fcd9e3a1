#include "cdc/batch.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/packed.h"
#include "cdc/rows_index.h"
#include "common/mem.h"

struct batch {
    struct session *session;
    struct reader *reader;
    struct sink *sink;
    struct rows_index *index;
    struct quarantine *quarantine;
    struct buf key;
    bool sink_full;
    bool index_full;
};

/* ---- what the reader finds ---- */

static void built(struct batch *batch, const struct plan_projection *projection, const char *key,
                  const char *const *id)
{
    struct quarantine_entry entry = {.projection = projection->config->name, .key = key};
    char *array;

    if (!quarantine_may_hold(batch->quarantine))
        return;
    entry.id = array = array_literal(id, projection->config->nid);
    quarantine_built(batch->quarantine, &entry);
    free(array);
}

static void refuse(struct batch *batch, const struct plan_projection *projection, const char *key,
                   const char *const *id, const char *error)
{
    char *array = array_literal(id, projection->config->nid);
    struct quarantine_entry entry = {.projection = projection->config->name, .key = key, .id = array};

    quarantine_add(batch->quarantine, &entry, error);
    free(array);
}

static void on_document(void *arg, const struct plan_projection *projection, const struct document *document,
                        int64_t version)
{
    struct batch *batch = arg;

    if (document->fields.len + PACKED_FRAME_BYTES > batch->session->max_word_bytes) {
        refuse(batch, projection, document->key.data, document->id,
               "it is longer than what this Redis takes (proto-max-bulk-len)");
        if (projection->config->many_rows)
            rows_index_spare(batch->index, projection, document, version);
        return;
    }
    if (projection->config->many_rows)
        rows_index_add(batch->index, projection, document, version);
    else
        sink_put(batch->sink, projection, document->key.data, version, document->expire_ms, &document->fields,
                 document->nfields);
    built(batch, projection, document->key.data, document->id);
}

static void on_missing(void *arg, const struct plan_projection *projection, const char *const *id,
                       int64_t version)
{
    struct batch *batch = arg;

    if (projection->config->many_rows)
        return; /* its index says what to remove */
    buf_clear(&batch->key);
    plan_render_key(projection, id, &batch->key);
    if (!reader_key_fault(batch->reader, projection, id, &batch->key))
        sink_remove(batch->sink, projection, batch->key.data, version);
    built(batch, projection, batch->key.data, id);
}

static void on_refused(void *arg, const struct plan_projection *projection, const char *key,
                       const char *error)
{
    struct batch *batch = arg;

    refuse(batch, projection, key, reader_refused_id(batch->reader), error);
}

static int on_complete(void *arg, const struct plan_projection *projection, const struct ids *ids,
                       size_t first, size_t count, int64_t version, struct err *err)
{
    struct batch *batch = arg;

    for (size_t i = first; i < first + count; i++) {
        buf_clear(&batch->key);
        plan_render_key(projection, ids_get(ids, i), &batch->key);
        built(batch, projection, batch->key.data, ids_get(ids, i));
    }
    return rows_index_settle(batch->index, projection, ids, first, count, version, err);
}

static void on_failed(void *arg)
{
    struct batch *batch = arg;

    rows_index_drop(batch->index);
}

static const struct reader_handlers reader_handlers = {on_document, on_missing, on_refused, on_complete,
                                                       on_failed};

/* ---- what the sink and the index say ---- */

static void pause_or_resume(struct batch *batch)
{
    if (batch->sink_full || batch->index_full)
        pg_pause(batch->session->pg);
    else
        pg_resume(batch->session->pg);
}

static void on_sink_pressure(void *arg, bool wait)
{
    struct batch *batch = arg;

    batch->sink_full = wait;
    pause_or_resume(batch);
}

static void on_index_pressure(void *arg, bool wait)
{
    struct batch *batch = arg;

    batch->index_full = wait;
    pause_or_resume(batch);
}

typedef void keyed_fn(struct batch *batch, const struct plan_projection *projection, const char *key,
                      const char *const *id, const char *error);

/* What reached Redis has a key that can be turned back. */
static void with_id(struct batch *batch, const struct plan_projection *projection, const char *key,
                    const char *error, keyed_fn *fn)
{
    char *id[MAX_ID_COLUMNS] = {NULL};

    if (plan_invert_key(projection, key, strlen(key), id) != 0)
        return; /* a key like this is not written */
    fn(batch, projection, key, (const char *const *)id, error);
    for (size_t i = 0; i < projection->config->nid; i++)
        free(id[i]);
}

static void on_index_refused(void *arg, const struct plan_projection *projection, const char *key,
                             const char *error)
{
    with_id(arg, projection, key, error, refuse);
}

static void on_sink_refused(void *arg, const struct plan_projection *projection, const char *key,
                            const char *error)
{
    struct batch *batch = arg;

    if (batch->index)
        rows_index_keep(batch->index, key);
    on_index_refused(batch, projection, key, error);
}

static void gone(struct batch *batch, const struct plan_projection *projection, const char *key,
                 const char *const *id, const char *error)
{
    (void)error;
    built(batch, projection, key, id);
}

static void on_removed(void *arg, const struct plan_projection *projection, const char *key)
{
    with_id(arg, projection, key, NULL, gone);
}

static const struct sink_handlers sink_handlers = {on_sink_refused, on_sink_pressure};
static const struct rows_index_handlers index_handlers = {on_index_refused, on_removed, on_index_pressure};

/* ---- batches ---- */

struct batch *batch_new(struct session *session, struct sink_queueing queueing)
{
    struct batch *batch = mem_zalloc(sizeof(*batch));

    batch->session = session;
    batch->quarantine = quarantine_new(session);
    batch->reader = reader_new(session, &reader_handlers, batch);
    batch->sink = sink_new(session->rconn, session->config, queueing, &session->tally, &sink_handlers, batch);
    batch->index = rows_index_new(session, batch->sink, &index_handlers, batch);
    return batch;
}

void batch_lookup_refused(struct batch *batch, const struct plan_projection *projection,
                          const struct watch *watch, const char *const *values, const char *error)
{
    struct buf key = BUF_NONE;
    char *array = array_literal(values, watch->ncolumns);
    struct quarantine_entry entry = {
        .projection = projection->config->name, .watch = watch->table, .id = array};

    buf_printf(&key, "watch %s", watch->table);
    for (size_t i = 0; i < watch->ncolumns; i++)
        buf_printf(&key, " %s=%s", watch->columns[i], values[i] ? values[i] : "NULL");
    entry.key = key.data;
    quarantine_add(batch->quarantine, &entry, error);
    buf_free(&key);
    free(array);
}

void batch_built(struct batch *batch, const struct quarantine_entry *entry)
{
    quarantine_built(batch->quarantine, entry);
}

void batch_retried(struct batch *batch, const struct quarantine_entry *entry)
{
    quarantine_retried(batch->quarantine, entry);
}

void batch_free(struct batch *batch)
{
    if (!batch)
        return;
    rows_index_free(batch->index); /* puts into the sink, which may still refuse */
    batch->index = NULL;
    sink_free(batch->sink);
    reader_free(batch->reader);
    quarantine_free(batch->quarantine);
    buf_free(&batch->key);
    free(batch);
}

int batch_apply_ids(struct batch *batch, size_t projection, const struct ids *ids, struct err *err)
{
    if (reader_ids(batch->reader, projection, ids, err) != 0)
        return -1;
    sink_send(batch->sink);
    return 0;
}

static void add_id_of_key(const struct plan_projection *plan, const char *key, struct ids *ids)
{
    char *id[MAX_ID_COLUMNS];

    if (plan_invert_key(plan, key, strlen(key), id) != 0)
        return;
    ids_add(ids, (const char *const *)id);
    for (size_t i = 0; i < plan->config->nid; i++)
        free(id[i]);
}

int batch_apply_keys(struct batch *batch, size_t projection, const struct ids *keys, int64_t since,
                     struct err *err)
{
    const struct plan_projection *plan = &batch->session->plan->projections[projection];
    struct ids *ids = ids_new(plan->config->nid);
    int result = 0;

    if (plan->config->many_rows)
        result = rows_index_suspect(batch->index, plan, keys, since, ids, err);
    else
        for (size_t i = 0; i < ids_count(keys); i++)
            add_id_of_key(plan, ids_get(keys, i)[0], ids);
    if (result == 0)
        result = batch_apply_ids(batch, projection, ids, err);
    ids_free(ids);
    return result;
}

int batch_apply_after(struct batch *batch, size_t projection, const struct plan_stretch *stretch,
                      char ***after, size_t *ret_count, struct err *err)
{
    return reader_after(batch->reader, projection, stretch, after, ret_count, err);
}

/* What is refused may be so only because its plan is of another day: an id of bigint does not fit where the
 * column was an integer. */
static int check_plan(const struct session *session, struct err *err)
{
    struct catalog *catalog = catalog_load(session->pg, session->config, err);

    if (catalog && catalog_digest(catalog) != session->plan->catalog)
        err_set(err, ST_AGAIN, "a table or view was altered since its columns were read");
    catalog_free(catalog);
    return err->status == ST_OK ? 0 : -1;
}

int batch_finish(struct batch *batch, struct err *err)
{
    if (sink_enqueue(batch->sink, err) != 0 || rows_index_forget(batch->index, err) != 0 ||
        (quarantine_refuses(batch->quarantine) && check_plan(batch->session, err) != 0))
        return -1;
    return quarantine_flush(batch->quarantine, err);
}
