#include "cdc/resync.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/batch.h"
#include "common/mem.h"

#define SCAN_COUNT "1000"

int resync_rows(struct session *session, size_t projection, resync_progress_fn *progress, void *arg,
                struct err *err)
{
    const struct plan_projection *plan = &session->plan->projections[projection];
    char **position = NULL;
    int64_t documents = 0;
    size_t count = PLAN_CHUNK;
    int result = 0;

    while (result == 0 && count == PLAN_CHUNK) {
        struct batch *batch = batch_new(session, false);

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

static void add_key(const struct session *session, size_t projection, const struct rreply *key,
                    struct ids *ids)
{
    const struct plan_projection *plan = &session->plan->projections[projection];
    char *id[MAX_ID_COLUMNS];
    size_t len;
    const char *text = rreply_string(key, &len);

    if (plan_key_rival(session->plan, plan, text, len) || plan_invert_key(plan, text, len, id) != 0)
        return;
    ids_add(ids, (const char *const *)id);
    for (size_t i = 0; i < plan->config->nid; i++)
        free(id[i]);
}

static int apply_keys(struct session *session, size_t projection, const struct rreply *keys, struct err *err)
{
    const struct plan_projection *plan = &session->plan->projections[projection];
    struct batch *batch = batch_new(session, false);
    struct ids *ids = ids_new(plan->config->nid);
    int result;

    for (size_t i = 0; i < rreply_count(keys); i++)
        add_key(session, projection, rreply_at(keys, i), ids);
    result = batch_apply_ids(batch, projection, ids, err);
    if (result == 0)
        result = batch_finish(batch, err);
    ids_free(ids);
    batch_free(batch);
    return result;
}

int resync_keys(struct session *session, size_t projection, struct err *err)
{
    char *pattern = template_pattern(session->plan->projections[projection].config->key);
    char *position = mem_strdup("0");
    int result = 0;

    do {
        const char *const words[] = {"SCAN", position, "MATCH", pattern, "COUNT", SCAN_COUNT};
        struct rreply *reply = rconn_run(session->rconn, 6, words, err);

        if (!reply || rreply_count(reply) != 2) {
            result = -1;
        } else {
            free(position);
            position = mem_strdup(rreply_string(rreply_at(reply, 0), NULL));
            result = apply_keys(session, projection, rreply_at(reply, 1), err);
        }
        rreply_free(reply);
    } while (result == 0 && strcmp(position, "0") != 0);
    free(position);
    free(pattern);
    return result;
}
