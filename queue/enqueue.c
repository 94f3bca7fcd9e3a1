#include "queue/enqueue.h"

#include <string.h>

#include "lua/scripts.h"
#include "queue/keys.h"
#include "queue/pgusher-queue.h"
#include "queue/settings.h"

struct script_call *enqueue_call_new(const char *queue)
{
    struct queue_keys keys;
    struct script_call *call;

    queue_keys_init(&keys, queue);
    call = queue_call_new(&keys, &script_enqueue);
    script_arg(call, "", 0); /* coalesce or not, as the queue's settings say */
    queue_keys_free(&keys);
    return call;
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
