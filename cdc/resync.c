#include "cdc/resync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/batch.h"
#include "cdc/key_walk.h"
#include "cdc/possible.h"
#include "cdc/rows_index.h"
#include "cdc/snapshot.h"
#include "common/mem.h"
#include "common/utf8.h"

#define TOMBSTONE_HEAD "pgusher:gone:{"

/* ---- rows ---- */

int resync_rows_step(struct session *session, struct resync_step *step, char ***position, struct err *err)
{
    struct batch *batch = batch_new(session, (struct sink_queueing){.all = step->queue_all, .backlog = true});
    int result = 0;

    step->count = 0;
    step->done = false;
    while (result == 0 && !step->done && step->count < step->most && !(step->count && session->notified)) {
        size_t count;

        result = batch_apply_after(batch, step->projection, &step->stretch, position, &count, err);
        if (result == 0) {
            step->count += count;
            step->done = count < (size_t)step->stretch.limit;
        }
    }
    if (result == 0)
        result = batch_finish(batch, err);
    batch_free(batch);
    return result;
}

/* ---- keys ---- */

/* One walk over the keys of every primary; a second one over the tombstones, in which head and tail bytes of
 * each name are not part of the document's key. */
struct resync_keys {
    struct session *session;
    size_t projection;
    bool queue_all;
    bool tombstones; /* the second walk */
    struct key_walk *walk;
    struct ids *names; /* found in a step */
    struct ids *own;   /* of them, those that may be of a row */
    int64_t seen;
    int64_t
        since; /* with many rows: what was yielded from here on need not be looked at again; 0: not known */
};

static void begin_walk(struct resync_keys *keys, bool tombstones)
{
    const struct plan_projection *plan = &keys->session->plan->projections[keys->projection];
    char *pattern = template_pattern(plan->config->key);
    char *names = tombstones ? mem_printf(TOMBSTONE_HEAD "%s}", pattern) : mem_strdup(pattern);

    key_walk_free(keys->walk);
    keys->walk = key_walk_new(keys->session->rconn, names);
    keys->tombstones = tombstones;
    free(pattern);
    free(names);
}

struct resync_keys *resync_keys_new(struct session *session, size_t projection, bool queue_all)
{
    struct resync_keys *keys = mem_zalloc(sizeof(*keys));

    keys->session = session;
    keys->projection = projection;
    keys->queue_all = queue_all;
    keys->names = ids_new(1);
    keys->own = ids_new(1);
    begin_walk(keys, false);
    return keys;
}

void resync_keys_free(struct resync_keys *keys)
{
    if (!keys)
        return;
    key_walk_free(keys->walk);
    ids_free(keys->names);
    ids_free(keys->own);
    free(keys);
}

int64_t resync_keys_seen(const struct resync_keys *keys)
{
    return keys->seen;
}

static void add_key(void *arg, const char *name, size_t name_len)
{
    const struct resync_keys *keys = arg;
    const struct plan *plans = keys->session->plan;
    const struct plan_projection *plan = &plans->projections[keys->projection];
    size_t head = keys->tombstones ? strlen(TOMBSTONE_HEAD) : 0, tail = keys->tombstones ? 1 : 0, len;
    char *key;

    if (name_len < head + tail) /* no Redis gives what the pattern does not fit */
        return;
    len = name_len - head - tail;
    key = mem_strndup(name + head, len);
    if (utf8_valid_length(key, len) == len && strlen(key) == len &&
        strncmp(key, ROWS_INDEX_HEAD, strlen(ROWS_INDEX_HEAD)) != 0 && !plan_key_rival(plans, plan, key, len))
        ids_add(keys->names, (const char *const[]){key});
    free(key);
}

static bool are_possible(const struct resync_keys *keys, size_t first, size_t count)
{
    const struct plan_projection *plan = &keys->session->plan->projections[keys->projection];
    struct ids *ids = ids_new(plan->config->nid);
    struct err why = ERR_NONE;
    bool possible = true;
    char *id[MAX_ID_COLUMNS];

    for (size_t i = first; i < first + count; i++) {
        const char *key = ids_get(keys->names, i)[0];

        if (plan_invert_key(plan, key, strlen(key), id) != 0)
            continue;
        ids_add(ids, (const char *const *)id);
        for (size_t j = 0; j < plan->config->nid; j++)
            free(id[j]);
    }
    if (possible_ids(keys->session, plan, ids, &possible, &why) != 0)
        possible = true; /* what is wrong is found by who reads them */
    ids_free(ids);
    return possible;
}

/* A key of which no row can be is another program's: left alone, for whoever reads it would only quarantine
 * it.
 */
static void find_own(struct resync_keys *keys, size_t first, size_t count)
{
    if (count == 0)
        return;
    if (are_possible(keys, first, count)) {
        for (size_t i = first; i < first + count; i++)
            ids_add(keys->own, ids_get(keys->names, i));
    } else if (count > 1) {
        find_own(keys, first, count / 2);
        find_own(keys, first + count / 2, count - count / 2);
    }
}

/* A version that is newer than whatever was read before: a transaction ends in between. */
static int begin_versions(struct resync_keys *keys, struct err *err)
{
    struct pg_query spend = {.sql = "SELECT pg_current_xact_id()"};
    struct pg_query look = {.sql = "SELECT pg_current_snapshot()"};
    struct pg *pg = keys->session->pg;
    struct pg_rows *rows = NULL;

    if (pg_run(pg, &spend, NULL, err) != 0 || pg_run(pg, &look, &rows, err) != 0)
        return -1;
    keys->since = version_make(keys->session->epoch, snapshot_ordinal(pg_rows_get(rows, 0, 0, NULL)));
    pg_rows_free(rows);
    return 0;
}

static int apply_keys(struct resync_keys *keys, struct err *err)
{
    struct batch *batch =
        batch_new(keys->session, (struct sink_queueing){.all = keys->queue_all, .backlog = true});
    int result = 0;

    keys->seen += (int64_t)ids_count(keys->names);
    ids_clear(keys->own);
    find_own(keys, 0, ids_count(keys->names));
    if (!keys->since && keys->session->plan->projections[keys->projection].config->many_rows)
        result = begin_versions(keys, err);
    if (result == 0)
        result = batch_apply_keys(batch, keys->projection, keys->own, keys->since, err);
    if (result == 0)
        result = batch_finish(batch, err);
    batch_free(batch);
    return result;
}

/* What a run that died removed but did not queue has only its tombstone left. */
static bool begin_next_walk(struct resync_keys *keys)
{
    if (keys->tombstones || !keys->queue_all)
        return false;
    begin_walk(keys, true);
    return true;
}

int resync_keys_step(struct resync_keys *keys, int limit, bool *ret_done, struct err *err)
{
    bool walked;

    ids_clear(keys->names);
    if (key_walk_step(keys->walk, limit, add_key, keys, &walked, err) != 0 || apply_keys(keys, err) != 0)
        return -1;
    *ret_done = walked && !begin_next_walk(keys);
    return 0;
}
