#include "cdc/batch.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/quarantine.h"
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

static void on_document(void *arg, const struct plan_projection *projection, const struct document *document,
                        int64_t version)
{
    struct batch *batch = arg;

    if (projection->config->many_rows)
        rows_index_add(batch->index, projection, document, version);
    else
        sink_put(batch->sink, projection, document->key.data, version, document->expire_ms, &document->fields,
                 document->nfields);
    quarantine_built(batch->quarantine, projection->config->name, document->key.data);
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
    quarantine_built(batch->quarantine, projection->config->name, batch->key.data);
}

static void on_refused(void *arg, const struct plan_projection *projection, const char *key,
                       const char *error)
{
    struct batch *batch = arg;

    quarantine_add(batch->quarantine, projection->config->name, key, error);
}

static int on_complete(void *arg, const struct plan_projection *projection, const struct ids *ids,
                       size_t first, size_t count, int64_t version, struct err *err)
{
    struct batch *batch = arg;

    for (size_t i = first; i < first + count; i++) {
        buf_clear(&batch->key);
        plan_render_key(projection, ids_get(ids, i), &batch->key);
        quarantine_built(batch->quarantine, projection->config->name, batch->key.data);
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

static void on_sink_refused(void *arg, const struct plan_projection *projection, const char *key,
                            const char *error)
{
    struct batch *batch = arg;

    if (batch->index)
        rows_index_keep(batch->index, key);
    on_refused(batch, projection, key, error);
}

static void on_removed(void *arg, const struct plan_projection *projection, const char *key)
{
    struct batch *batch = arg;

    quarantine_built(batch->quarantine, projection->config->name, key);
}

static const struct sink_handlers sink_handlers = {on_sink_refused, on_sink_pressure};
static const struct rows_index_handlers index_handlers = {on_refused, on_removed, on_index_pressure};

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

void batch_refuse(struct batch *batch, const char *projection, const char *key, const char *error)
{
    quarantine_add(batch->quarantine, projection, key, error);
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

int batch_finish(struct batch *batch, struct err *err)
{
    if (sink_enqueue(batch->sink, err) != 0 || rows_index_forget(batch->index, err) != 0)
        return -1;
    return quarantine_flush(batch->quarantine, err);
}
