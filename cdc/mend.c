#include "cdc/mend.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/applied.h"
#include "cdc/batch.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/script_send.h"
#include "lua/scripts.h"
#include "queue/tombstone.h"

struct mending {
    size_t waiting;
    bool idle;
    struct err err;
};

static void on_ready(void *arg, const struct rreply *reply, const struct err *err)
{
    struct mending *mending = arg;

    (void)reply;
    if (err)
        err_copy(&mending->err, err);
    mending->waiting--;
    mending->idle = mending->waiting == 0;
}

static void make_ready(struct mending *mending, struct rconn *rconn, const struct mend_item *item,
                       int64_t now)
{
    struct script_call *call = script_call_new(&script_repair);
    struct buf gone = BUF_NONE;

    tombstone_add_key(&gone, item->key, strlen(item->key));
    script_key(call, item->key, strlen(item->key));
    script_key(call, gone.data, gone.len);
    buf_free(&gone);
    script_arg_int(call, now);
    script_arg(call, item->has_row ? "1" : "0", 1);
    mending->waiting++;
    mending->idle = false;
    script_send(call, rconn, on_ready, mending);
}

static int version_of_now(struct session *session, int64_t *ret_version, struct err *err)
{
    char *snapshot;

    if (applied_now(session, &snapshot, ret_version, err) != 0)
        return -1;
    free(snapshot);
    return 0;
}

static int make_all_ready(struct session *session, const struct mend_item *items, size_t count, int64_t now,
                          struct err *err)
{
    struct mending mending = {.idle = true, .err = ERR_NONE};

    for (size_t i = 0; i < count; i++)
        make_ready(&mending, session->rconn, &items[i], now);
    loop_run_until(session->loop, &mending.idle);
    err_copy(err, &mending.err);
    return mending.err.status == ST_OK ? 0 : -1;
}

/* ---- keys without a projection, or whose id is impossible ---- */

static void on_refused(void *arg, const struct plan_projection *projection, const char *key,
                       const char *error)
{
    (void)arg;
    (void)projection;
    log_warn("%s is not removed: %s", key, error);
}

static void on_pressure(void *arg, bool wait)
{
    (void)arg;
    (void)wait; /* what is removed comes in small numbers */
}

static const struct sink_handlers sink_handlers = {on_refused, on_pressure};

int mend_remove(struct session *session, const struct plan_projection *plan, const char *const *keys,
                size_t count, struct err *err)
{
    struct sink *sink;
    int64_t now;
    int result;

    if (count == 0)
        return 0;
    if (version_of_now(session, &now, err) != 0)
        return -1;
    sink = sink_new(session->rconn, session->config, (struct sink_queueing){.all = false}, &session->tally,
                    &sink_handlers, NULL);
    for (size_t i = 0; i < count; i++)
        sink_remove(sink, plan, keys[i], now);
    result = sink_enqueue(sink, err);
    sink_free(sink);
    return result;
}

/* ---- documents ---- */

/* By their keys: with many rows, one that the id never yielded is not known under it. What is not refused is
 * mended, though nothing of it was written. */
static int project_again(struct session *session, size_t projection, const struct quarantine_entry *entries,
                         size_t count, int64_t now, struct err *err)
{
    struct batch *batch = batch_new(session, (struct sink_queueing){.all = false});
    struct ids *keys = ids_new(1);
    int result;

    for (size_t i = 0; i < count; i++) {
        ids_add(keys, &entries[i].key);
        batch_built(batch, &entries[i]);
    }
    result = batch_apply_keys(batch, projection, keys, now + 1, err);
    if (result == 0)
        result = batch_finish(batch, err);
    ids_free(keys);
    batch_free(batch);
    return result;
}

static int remove_impossible(struct session *session, size_t projection, const struct mend_item *items,
                             size_t count, struct err *err)
{
    const char **keys = mem_alloc((count + 1) * sizeof(*keys));
    size_t n = 0;
    int result;

    for (size_t i = 0; i < count; i++)
        if (!items[i].id)
            keys[n++] = items[i].key;
    result = mend_remove(session, &session->plan->projections[projection], keys, n, err);
    free(keys);
    return result;
}

/* The quarantine's entries of those that have an id; the caller frees with free_entries. */
static struct quarantine_entry *entries_of(const struct plan_projection *plan, const struct mend_item *items,
                                           size_t count, size_t *ret_count)
{
    struct quarantine_entry *entries = mem_zalloc((count + 1) * sizeof(*entries));
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        if (items[i].id)
            entries[n++] = (struct quarantine_entry){.projection = plan->config->name,
                                                     .key = items[i].key,
                                                     .id = array_literal(items[i].id, plan->config->nid)};
    *ret_count = n;
    return entries;
}

static void free_entries(struct quarantine_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free((char *)entries[i].id);
    free(entries);
}

int mend_documents(struct session *session, size_t projection, const struct mend_item *items, size_t count,
                   struct err *err)
{
    size_t nentries;
    struct quarantine_entry *entries =
        entries_of(&session->plan->projections[projection], items, count, &nentries);
    int64_t now;
    int result = -1;

    if (quarantine_intend(session, entries, nentries, err) == 0 && version_of_now(session, &now, err) == 0 &&
        make_all_ready(session, items, count, now, err) == 0 &&
        remove_impossible(session, projection, items, count, err) == 0)
        result = project_again(session, projection, entries, nentries, now, err);
    free_entries(entries, nentries);
    return result;
}
