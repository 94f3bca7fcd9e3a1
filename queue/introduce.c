/* What a producer or consumer tells the queue when it has connected: the settings of its options, which all
 * share, and the run id of this Redis, by which a restart is noticed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/handle.h"

/* While Redis is above maxmemory it refuses to be told, but not to be drained. */
static int allow_full(struct pgusher_queue *queue)
{
    if (strncmp(queue->err.text, "Redis: OOM", 10) == 0)
        err_clear(&queue->err);
    return queue->err.status == ST_OK ? 0 : -1;
}

static int save_settings(struct pgusher_queue *queue)
{
    struct buf command = BUF_NONE;

    if (queue_settings_put(&queue->settings, queue->keys.name[KEY_META], &command))
        freeReplyObject(handle_raw(queue, &command));
    buf_free(&command);
    return allow_full(queue);
}

/* Without the privilege for INFO there is no grace after a restart; all else works. */
static int learn_run_id(struct pgusher_queue *queue)
{
    redisReply *reply = handle_command(queue, 2, (const char *const[]){"INFO", "server"});
    const char *found;

    queue->run_id[0] = '\0';
    if (!reply && strncmp(queue->err.text, "Redis: NOPERM", 13) == 0)
        err_clear(&queue->err);
    if (!reply)
        return queue->err.status == ST_OK ? 0 : -1;
    found = strstr(reply->str, "run_id:");
    if (found)
        sscanf(found + strlen("run_id:"), "%63[0-9a-f]", queue->run_id);
    freeReplyObject(reply);
    return 0;
}

/* Only the first to come says it; a difference is for `recover` to notice. In a cluster this first command,
 * which has a key, finds the queue's node for those that have none. */
static int save_run_id(struct pgusher_queue *queue)
{
    const char *const argv[] = {"HSETNX", queue->keys.name[KEY_META], "run_id", queue->run_id};
    redisReply *known = handle_command(queue, 3, (const char *const[]){"HGET", argv[1], argv[2]});

    if (!known || learn_run_id(queue) != 0) {
        freeReplyObject(known);
        return -1;
    }
    if (known->type == REDIS_REPLY_NIL && queue->run_id[0])
        freeReplyObject(handle_command(queue, 4, argv));
    freeReplyObject(known);
    return allow_full(queue);
}

int handle_introduce(struct pgusher_queue *queue)
{
    if (queue->introduced && rlink_is_open(queue->link))
        return 0;
    if (save_run_id(queue) != 0 || save_settings(queue) != 0)
        return handle_name_key(queue);
    queue->introduced = true;
    return 0;
}
