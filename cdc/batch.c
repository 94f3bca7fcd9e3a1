#include "cdc/batch.h"

#include <stdlib.h>

#include "cdc/quarantine.h"
#include "common/mem.h"

struct batch {
    struct session *session;
    struct reader *reader;
    struct sink *sink;
    struct quarantine *quarantine;
    struct buf key;
};

/* ---- what the reader finds ---- */

static void on_document(void *arg, const struct plan_projection *projection, const struct document *document,
                        int64_t version)
{
    struct batch *batch = arg;

    sink_put(batch->sink, projection, document->key.data, version, document->expire_ms, &document->fields,
             document->nfields);
    quarantine_built(batch->quarantine, projection->config->name, document->key.data);
}

static void on_missing(void *arg, const struct plan_projection *projection, const char *const *id,
                       int64_t version)
{
    struct batch *batch = arg;

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

static const struct reader_handlers reader_handlers = {on_document, on_missing, on_refused};

/* ---- what the sink says ---- */

static void on_pressure(void *arg, bool wait)
{
    struct batch *batch = arg;

    if (wait)
        pg_pause(batch->session->pg);
    else
        pg_resume(batch->session->pg);
}

static const struct sink_handlers sink_handlers = {on_refused, on_pressure};

/* ---- batches ---- */

struct batch *batch_new(struct session *session, struct sink_queueing queueing)
{
    struct batch *batch = mem_zalloc(sizeof(*batch));

    batch->session = session;
    batch->quarantine = quarantine_new(session);
    batch->reader = reader_new(session, &reader_handlers, batch);
    batch->sink = sink_new(session->rconn, session->config, queueing, &session->tally, &sink_handlers, batch);
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

int batch_apply_after(struct batch *batch, size_t projection, const struct plan_stretch *stretch,
                      char ***after, size_t *ret_count, struct err *err)
{
    return reader_after(batch->reader, projection, stretch, after, ret_count, err);
}

int batch_finish(struct batch *batch, struct err *err)
{
    if (sink_enqueue(batch->sink, err) != 0)
        return -1;
    return quarantine_flush(batch->quarantine, err);
}
