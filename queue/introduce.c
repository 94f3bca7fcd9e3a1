/* What a producer or consumer tells the queue when it has connected: the settings of its options, which all
 * share, and the run id of this Redis, by which a restart is noticed. */
#include <stdio.h>
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
int handle_read_run_id(struct pgusher_queue *queue, redisReply *reply, char ret_run_id[RUN_ID_SIZE])
{
    const char *found;

    ret_run_id[0] = '\0';
    reply = handle_expect(queue, reply, reply && reply->type == REDIS_REPLY_STRING);
    if (!reply && strncmp(queue->err.text, "Redis: NOPERM", 13) == 0)
        err_clear(&queue->err);
    if (!reply)
        return queue->err.status == ST_OK ? 0 : -1;
    found = strstr(reply->str, "run_id:");
    if (found)
        sscanf(found + strlen("run_id:"), "%63[0-9a-f]", ret_run_id);
    freeReplyObject(reply);
    return 0;
}

/* Where it is unknown, this may be another server than before, to which the waiter's id means somebody else.
 */
static int learn_run_id(struct pgusher_queue *queue)
{
    redisReply *reply = handle_command(queue, 2, (const char *const[]){"INFO", "server"});

    if (handle_read_run_id(queue, reply, queue->run_id) != 0)
        return -1;
    if (!queue->run_id[0])
        queue->waiter_id = 0;
    return 0;
}

/* Only the first to come says it; a difference is for `recover` to notice. */
static int save_run_id(struct pgusher_queue *queue)
{
    const char *const argv[] = {"HSETNX", queue->keys.name[KEY_META], "run_id", queue->run_id};

    if (learn_run_id(queue) != 0)
        return -1;
    if (queue->run_id[0])
        freeReplyObject(handle_command(queue, 4, argv));
    return allow_full(queue);
}

/* The types first: nothing is written where the name is occupied, or does not fit a cluster; and in a cluster
 * that call, which has keys, finds the node for INFO, which has none. */
int handle_introduce(struct pgusher_queue *queue)
{
    if (queue->introduced && rlink_is_open(queue->link))
        return 0;
    if (handle_check_types(queue) != 0 || save_run_id(queue) != 0 || save_settings(queue) != 0)
        return -1;
    queue->introduced = true;
    return 0;
}
