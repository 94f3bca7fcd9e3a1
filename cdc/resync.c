#include "cdc/resync.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/batch.h"
#include "common/mem.h"
#include "common/utf8.h"

#define SCAN_COUNT "1000"

int resync_rows(struct session *session, size_t projection, bool queue_all, resync_progress_fn *progress,
                void *arg, struct err *err)
{
    const struct plan_projection *plan = &session->plan->projections[projection];
    char **position = NULL;
    int64_t documents = 0;
    size_t count = PLAN_CHUNK;
    int result = 0;

    while (result == 0 && count == PLAN_CHUNK) {
        struct batch *batch = batch_new(session, queue_all);

        result = batch_apply_after(batch, projection, &position, &count, err);
        if (result == 0)
            result = batch_finish(batch, err);
        batch_free(batch);
        documents += (int64_t)count;
        if (result == 0 && progress && !progress(arg, documents)) {
            err_set(err, ST_AGAIN, "stopped");
            result = -1;
        }
    }
    batch_position_free(plan, position);
    return result;
}

/* A walk over keys; head and tail bytes of each are not part of the document's key. */
struct walk {
    struct session *session;
    size_t projection;
    bool queue_all;
    size_t head;
    size_t tail;
};

static void add_key(const struct walk *walk, const struct rreply *reply, struct ids *ids)
{
    const struct plan_projection *plan = &walk->session->plan->projections[walk->projection];
    char *id[MAX_ID_COLUMNS];
    size_t len;
    const char *key = rreply_string(reply, &len) + walk->head;

    len -= walk->head + walk->tail;
    if (utf8_valid_length(key, len) != len || plan_key_rival(walk->session->plan, plan, key, len) ||
        plan_invert_key(plan, key, len, id) != 0)
        return;
    ids_add(ids, (const char *const *)id);
    for (size_t i = 0; i < plan->config->nid; i++)
        free(id[i]);
}

static int apply_keys(const struct walk *walk, const struct rreply *keys, struct err *err)
{
    struct batch *batch = batch_new(walk->session, walk->queue_all);
    struct ids *ids = ids_new(walk->session->plan->projections[walk->projection].config->nid);
    int result;

    for (size_t i = 0; i < rreply_count(keys); i++)
        add_key(walk, rreply_at(keys, i), ids);
    result = batch_apply_ids(batch, walk->projection, ids, err);
    if (result == 0)
        result = batch_finish(batch, err);
    ids_free(ids);
    batch_free(batch);
    return result;
}

static int walk_primary(const struct walk *walk, int route, const char *pattern, struct err *err)
{
    char *position = mem_strdup("0");
    int result = 0;

    do {
        const char *const words[] = {"SCAN", position, "MATCH", pattern, "COUNT", SCAN_COUNT};
        struct rreply *reply = rconn_run(walk->session->rconn, route, 6, words, err);

        if (!reply || rreply_count(reply) != 2) {
            err_set(err, ST_LOST, "Redis: the reply to SCAN is malformed");
            result = -1;
        } else {
            free(position);
            position = mem_strdup(rreply_string(rreply_at(reply, 0), NULL));
            result = apply_keys(walk, rreply_at(reply, 1), err);
        }
        rreply_free(reply);
    } while (result == 0 && strcmp(position, "0") != 0);
    free(position);
    return result;
}

static int walk_keys(const struct walk *walk, const char *pattern, struct err *err)
{
    struct rconn *rconn = walk->session->rconn;
    size_t primaries = rconn_primaries(rconn);
    int result = 0;

    for (size_t i = 0; result == 0 && i < primaries; i++)
        result = walk_primary(walk, rconn_primary_route(rconn, i), pattern, err);
    return result;
}

/* What a run that died removed but did not queue has only its tombstone left. */
static int walk_tombstones(struct walk walk, const char *pattern, struct err *err)
{
    char *gone = mem_printf("pgusher:gone:{%s}", pattern);
    int result;

    walk.head = strlen("pgusher:gone:{");
    walk.tail = strlen("}");
    result = walk_keys(&walk, gone, err);
    free(gone);
    return result;
}

int resync_keys(struct session *session, size_t projection, bool queue_all, struct err *err)
{
    struct walk walk = {.session = session, .projection = projection, .queue_all = queue_all};
    char *pattern = template_pattern(session->plan->projections[projection].config->key);
    int result = walk_keys(&walk, pattern, err);

    if (result == 0 && queue_all)
        result = walk_tombstones(walk, pattern, err);
    free(pattern);
    return result;
}
