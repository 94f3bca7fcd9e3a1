/* Waiting for the next item: BLMOVE on a connection of its own.
 *
 * What it brings lands in the consumer's list even if its answer is lost; the next reserve adopts it. It must
 * be over before the lease that reserve renewed: then a consumer that vanishes cannot receive anything after
 * others have taken back what it held. */
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "queue/handle.h"

enum { REFUSED_PAUSE_MS = 500, UNBLOCK_RETRY_MS = 10 };

static int learn_waiter_id(struct pgusher_queue *queue)
{
    redisReply *reply = rlink_run(queue->waiter, 2, (const char *const[]){"CLIENT", "ID"}, &queue->err);

    if (!reply)
        return -1;
    queue->waiter_id = reply->integer;
    freeReplyObject(reply);
    return 0;
}

static int open_waiter(struct pgusher_queue *queue)
{
    if (rlink_is_open(queue->waiter))
        return 0;
    if (rlink_open(queue->waiter, &queue->err) != 0 || learn_waiter_id(queue) != 0) {
        rlink_close(queue->waiter);
        return -1;
    }
    return 0;
}

static int send_move(struct pgusher_queue *queue, int64_t wait_ms, const struct buf *then)
{
    char *list = queue_processing_key(&queue->keys, queue->consumer);
    struct buf command = BUF_NONE;
    char seconds[32];
    int failed;

    snprintf(seconds, sizeof(seconds), "%.3f", (double)wait_ms / 1000);
    resp_put_command(
        &command, 6,
        (const char *const[]){"BLMOVE", queue->keys.name[KEY_WAITING], list, "RIGHT", "LEFT", seconds});
    if (then)
        buf_add(&command, then->data, then->len);
    failed = rlink_send(queue->waiter, command.data, command.len, &queue->err);
    buf_free(&command);
    free(list);
    return failed;
}

static int64_t at_most(int64_t a, int64_t b)
{
    return b < a ? b : a;
}

/* The lease may have grown old since reserve (a stopped process, a slow caller): then reserve must come
 * first. */
static int64_t allowed_wait(const struct pgusher_queue *queue, int64_t wait_ms)
{
    int64_t now_ms = clock_mono_ms();

    if (queue->paused || now_ms < queue->no_wait_until_ms ||
        now_ms - queue->reserved_at_ms > queue->lease_ms / 2)
        return 0;
    wait_ms = at_most(wait_ms, queue->lease_ms / 4);
    return queue->due_ms < 0 ? wait_ms : at_most(wait_ms, queue->due_ms + 1);
}

int handle_wait_begin(struct pgusher_queue *queue, int64_t wait_ms, const struct buf *then)
{
    wait_ms = allowed_wait(queue, wait_ms);
    if (wait_ms <= 0)
        return -2;
    if (open_waiter(queue) != 0)
        return -1;
    queue->wait_until_ms = clock_mono_ms() + wait_ms;
    queue->wait_lost = true;
    if (send_move(queue, wait_ms, then) != 0)
        return -1;
    queue->waiting = true;
    return rlink_fd(queue->waiter);
}

int pgusher_queue_wait_begin(struct pgusher_queue *queue, int64_t wait_ms)
{
    handle_begin(queue);
    if (queue->waiting)
        return handle_refuse(queue, "a wait is under way already");
    return handle_wait_begin(queue, wait_ms, NULL);
}

int64_t pgusher_queue_wait_ms(const struct pgusher_queue *queue)
{
    int64_t left_ms = queue->wait_until_ms - clock_mono_ms();

    return queue->waiting && left_ms > 0 ? left_ms : 0;
}

/* At maxmemory Redis refuses blocking moves, though it lets the reserve script drain: look again in a while.
 */
static int refused(struct pgusher_queue *queue, const char *text)
{
    if (strncmp(text, "OOM", 3) == 0) {
        queue->no_wait_until_ms = clock_mono_ms() + REFUSED_PAUSE_MS;
        return 0;
    }
    rlink_close(queue->waiter); /* UNBLOCKED, MOVED, READONLY: reserve will find out more */
    return 0;
}

static bool has_ended(const struct pgusher_queue *queue, int64_t ms)
{
    struct pollfd ended = {.fd = rlink_fd(queue->waiter), .events = POLLIN};

    return ended.fd < 0 || poll(&ended, 1, (int)at_most(ms, INT_MAX)) != 0;
}

/* It may not even have begun: the two connections know nothing of each other. */
static int unblock(struct pgusher_queue *queue)
{
    int64_t deadline_ms = clock_mono_ms() + queue->timeout_ms;
    char id[24];

    snprintf(id, sizeof(id), "%lld", (long long)queue->waiter_id);
    do {
        redisReply *reply = handle_command(queue, 3, (const char *const[]){"CLIENT", "UNBLOCK", id});

        if (!reply)
            return -1;
        freeReplyObject(reply);
    } while (!has_ended(queue, UNBLOCK_RETRY_MS) && clock_mono_ms() < deadline_ms);
    return 0;
}

static int receive_move(struct pgusher_queue *queue)
{
    redisReply *reply = rlink_receive(queue->waiter, &queue->err);
    int came;

    queue->waiting = false;
    if (!reply)
        return -1;
    queue->wait_lost = false;
    came = reply->type == REDIS_REPLY_ERROR ? refused(queue, reply->str) : reply->type == REDIS_REPLY_STRING;
    freeReplyObject(reply);
    return came;
}

/* An idle Redis looks at its timeouts only ten times a second, so the end is asked for; where that is
 * forbidden it is waited for. */
int pgusher_queue_wait_end(struct pgusher_queue *queue)
{
    handle_begin(queue);
    if (!queue->waiting)
        return handle_refuse(queue, "no wait is under way");
    if (!has_ended(queue, pgusher_queue_wait_ms(queue)) && unblock(queue) != 0) {
        handle_begin(queue);
        has_ended(queue, queue->timeout_ms);
    }
    return receive_move(queue);
}

int pgusher_queue_wait_cancel(struct pgusher_queue *queue)
{
    handle_begin(queue);
    if (!queue->waiting)
        return 0;
    if (unblock(queue) == 0)
        return receive_move(queue) < 0 ? -1 : 0;
    rlink_close(queue->waiter); /* Redis cannot be reached; the move ends by itself */
    queue->waiting = false;
    return -1;
}
