#include "queue/enqueue.h"

#include <string.h>

#include "lua/scripts.h"
#include "queue/pgusher-queue.h"
#include "queue/settings.h"

static struct script_call *call_new(const char *queue, const struct script *script)
{
    struct queue_keys keys;
    struct script_call *call;

    queue_keys_init(&keys, queue);
    call = queue_call_new(&keys, script);
    queue_keys_free(&keys);
    return call;
}

struct script_call *enqueue_call_new(const char *queue, enum queue_lane lane)
{
    struct script_call *call = call_new(queue, &script_enqueue);

    queue_call_lane(call, lane);
    return call;
}

struct script_call *enqueue_promote_new(const char *queue)
{
    return call_new(queue, &script_promote);
}

bool enqueue_read_promoted(const struct rreply *reply, int64_t *ret_moved, int64_t *ret_left)
{
    if (rreply_count(reply) != 2)
        return false;
    *ret_moved = rreply_integer(rreply_at(reply, 0));
    *ret_left = rreply_integer(rreply_at(reply, 1));
    return true;
}

int enqueue_configure(struct rconn *rconn, const struct queue_config *queue, struct err *err)
{
    struct buf command = BUF_NONE;
    struct err failed = ERR_NONE;
    struct queue_keys keys;
    const char *meta;

    queue_keys_init(&keys, queue->name);
    meta = keys.name[KEY_META];
    if (queue_settings_put(&queue->settings, meta, &command))
        rreply_free(
            rconn_run_raw(rconn, rconn_route(rconn, meta, strlen(meta)), command.data, command.len, &failed));
    queue_keys_free(&keys);
    buf_free(&command);
    if (failed.status == ST_OK || failed.status == ST_AGAIN)
        return 0;
    err_copy(err, &failed);
    return -1;
}

int64_t enqueue_count_new(const struct rreply *reply)
{
    int64_t count = 0;

    for (size_t i = 0; i < rreply_count(reply); i++) {
        int64_t outcome = rreply_integer(rreply_at(reply, i));

        count += outcome == PGUSHER_QUEUE_QUEUED || outcome == PGUSHER_QUEUE_REVIVED;
    }
    return count;
}
