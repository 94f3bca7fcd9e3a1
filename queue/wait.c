/* Waiting for the next item: BLMOVE on a connection of its own.
 *
 * What it brings lands in the consumer's list even if its answer is lost; the next reserve adopts it. It must
 * be over before the lease that reserve renewed: then a consumer that vanishes cannot receive anything after
 * others have taken back what it held. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/redis_error.h"
#include "queue/handle.h"

enum { REFUSED_PAUSE_MS = 500, UNBLOCK_RETRY_MS = 10, UNBLOCK_MS = 200, FORBIDDEN_MS = 1000 };

/* 0 where CLIENT is forbidden: then a wait ends when Redis ends it. */
static int learn_waiter_id(struct pgusher_queue *queue)
{
    redisReply *reply = rlink_run(queue->waiter, 2, (const char *const[]){"CLIENT", "ID"}, &queue->err);

    queue->waiter_id = reply ? reply->integer : 0;
    freeReplyObject(reply);
    if (!reply && strncmp(queue->err.text, "Redis: NOPERM", 13) == 0)
        err_clear(&queue->err);
    return queue->err.status == ST_OK ? 0 : -1;
}

static int learn_waiter_run_id(struct pgusher_queue *queue)
{
    redisReply *reply = rlink_run(queue->waiter, 2, (const char *const[]){"INFO", "server"}, &queue->err);

    return handle_read_run_id(queue, reply, queue->waiter_run_id);
}

/* At the server where the queue is; while that is not known, where it is. */
static bool is_waiter_open(const struct pgusher_queue *queue)
{
    return rlink_is_open(queue->waiter) &&
           (queue->url.kind != REDIS_SENTINEL || !rlink_is_open(queue->link) ||
            rlink_is_with(queue->waiter, queue->link));
}

static int open_waiter(struct pgusher_queue *queue)
{
    if (is_waiter_open(queue))
        return 0;
    rlink_close(queue->waiter);
    rlink_stay_with(queue->waiter, queue->link);
    if (rlink_open(queue->waiter, &queue->err) != 0 || learn_waiter_id(queue) != 0 ||
        learn_waiter_run_id(queue) != 0) {
        rlink_close(queue->waiter);
        return -1;
    }
    rlink_limit_delay(queue->waiter, queue->lease_ms / 4);
    return 0;
}

static int send_move(struct pgusher_queue *queue, int64_t wait_ms, const struct buf *then)
{
    char *list = queue_processing_key(&queue->keys, queue->consumer);
    struct buf command = BUF_NONE;
    char seconds[32];
    int failed;

    if (!list)
        return handle_out_of_memory(queue);
    /* not as a fraction: the host's locale may write a comma */
    snprintf(seconds, sizeof(seconds), "%lld.%03d", (long long)(wait_ms / 1000), (int)(wait_ms % 1000));
    resp_put_command(
        &command, 6,
        (const char *const[]){"BLMOVE", queue->keys.name[KEY_WAITING], list, "RIGHT", "LEFT", seconds});
    if (then)
        buf_add_buf(&command, then);
    failed = rlink_send(queue->waiter, &command, &queue->err);
    buf_free(&command);
    free(list);
    return failed;
}

static int64_t at_most(int64_t a, int64_t b)
{
    return b < a ? b : a;
}

/* A wait that was given up. */
static bool may_go_on(const struct pgusher_queue *queue)
{
    return queue->wait_lost && clock_mono_ms() < queue->wait_until_ms;
}

/* The lease may have grown old since reserve (a stopped process, a slow caller): then reserve must come
 * first. */
static int64_t allowed_wait(const struct pgusher_queue *queue, int64_t wait_ms)
{
    int64_t now_ms = clock_mono_ms();

    if (queue->paused || now_ms < queue->no_wait_until_ms || may_go_on(queue) ||
        now_ms - queue->reserved_at_ms > queue->lease_ms / 2)
        return 0;
    wait_ms = at_most(wait_ms, queue->lease_ms / 4);
    return queue->due_ms < 0 ? wait_ms : at_most(wait_ms, queue->due_ms + 1);
}

int handle_wait_begin(struct pgusher_queue *queue, int64_t wait_ms, const struct buf *then)
{
    if (queue->waiting)
        return handle_refuse(queue, "a wait is under way already");
    wait_ms = allowed_wait(queue, wait_ms);
    if (wait_ms <= 0)
        return -2;
    if (open_waiter(queue) != 0)
        return -1;
    queue->wait_until_ms = clock_mono_ms() + wait_ms;
    queue->wait_lost = true;
    if (send_move(queue, wait_ms, then) != 0) {
        queue->wait_lost = queue->err.status != ST_AGAIN;
        return -1;
    }
    queue->waiting = true;
    return rlink_fd(queue->waiter);
}

int pgusher_queue_wait_begin(struct pgusher_queue *queue, int64_t wait_ms)
{
    handle_begin(queue);
    return handle_wait_begin(queue, wait_ms, NULL);
}

int64_t pgusher_queue_wait_ms(const struct pgusher_queue *queue)
{
    int64_t left_ms = queue->wait_until_ms - clock_mono_ms();

    return queue->waiting && left_ms > 0 ? left_ms : 0;
}

/* At maxmemory Redis refuses blocking moves, though it lets the reserve script drain; where they are
 * forbidden there is no way but to look again and again. Of all else (UNBLOCKED, READONLY) reserve will find
 * out more. */
static void take_refusal(struct pgusher_queue *queue, const char *text)
{
    if (rlink_follow(queue->waiter, text))
        return;
    queue->no_wait_until_ms = clock_mono_ms() + REFUSED_PAUSE_MS;
    if (redis_error_classify(text) == ST_CONFIG)
        err_set(&queue->wait_refused, ST_CONFIG, "Redis: %s", text);
    if (strncmp(text, "OOM", 3) != 0 && strncmp(text, "NOPERM", 6) != 0)
        rlink_close(queue->waiter);
}

static bool has_ended(const struct pgusher_queue *queue, int64_t ms)
{
    struct pollfd ended = {.fd = rlink_fd(queue->waiter), .events = POLLIN};
    int64_t deadline_ms = clock_mono_ms() + ms;
    int ready = ended.fd < 0;

    while (ready == 0 || (ready < 0 && errno == EINTR)) {
        int64_t left_ms = deadline_ms - clock_mono_ms();

        ready = poll(&ended, 1, (int)at_most(left_ms > 0 ? left_ms : 0, INT_MAX));
        if (ready == 0 && left_ms <= 0)
            return false;
    }
    return true;
}

/* Ids begin anew with each server: to one that was restarted, or took over, the waiter's is a stranger's. */
static bool is_with_waiter(struct pgusher_queue *queue)
{
    return handle_introduce(queue) == 0 && queue->waiter_id &&
           strcmp(queue->run_id, queue->waiter_run_id) == 0;
}

/* Over the connection that has just been found to be right: no other is opened for it. */
static void tell_client(struct pgusher_queue *queue, int argc, const char *const *argv)
{
    if (is_with_waiter(queue))
        freeReplyObject(rlink_run(queue->link, argc, argv, &queue->err));
}

/* It may not even have begun: the two connections know nothing of each other. One that does not end within a
 * moment is dead, and nobody's event loop must wait for it. */
static bool unblock(struct pgusher_queue *queue)
{
    int64_t deadline_ms = clock_mono_ms() + UNBLOCK_MS;
    char id[24];

    if (!queue->waiter_id)
        return has_ended(queue, FORBIDDEN_MS);
    snprintf(id, sizeof(id), "%lld", (long long)queue->waiter_id);
    do {
        tell_client(queue, 3, (const char *const[]){"CLIENT", "UNBLOCK", id});
        if (has_ended(queue, UNBLOCK_RETRY_MS))
            return true;
    } while (clock_mono_ms() < deadline_ms && queue->err.status == ST_OK);
    return queue->err.status == ST_CONFIG && has_ended(queue, FORBIDDEN_MS);
}

/* Redis may receive the move later still, and then move something to us, or run the reserve that follows it;
 * but where another server is there by now, the move has died with the former. Where CLIENT is forbidden it
 * has ended when its time is over. */
void handle_forget_wait(struct pgusher_queue *queue)
{
    char id[24];

    snprintf(id, sizeof(id), "%lld", (long long)queue->waiter_id);
    rlink_close(queue->waiter);
    tell_client(queue, 4, (const char *const[]){"CLIENT", "KILL", "ID", id});
    if (queue->err.status == ST_OK && queue->waiter_id)
        queue->wait_lost = false;
    else if (queue->err.status != ST_AGAIN && queue->err.status != ST_LOST)
        queue->wait_lost = may_go_on(queue);
    handle_begin(queue);
}

static int abandon(struct pgusher_queue *queue)
{
    queue->waiting = false;
    rlink_close(queue->waiter);
    err_clear(&queue->err);
    err_set(&queue->err, ST_LOST, "the connection that waits for items does not answer");
    return -1;
}

static int receive_move(struct pgusher_queue *queue)
{
    redisReply *reply = rlink_receive(queue->waiter, &queue->err);
    bool came;

    queue->waiting = false;
    if (!reply)
        return -1;
    queue->wait_lost = false;
    err_clear(&queue->wait_refused);
    if (reply->type == REDIS_REPLY_ERROR)
        take_refusal(queue, reply->str);
    came = reply->type == REDIS_REPLY_STRING;
    freeReplyObject(reply);
    return came;
}

/* After at most ms. An idle Redis looks at its timeouts only ten times a second, so the end is asked for. */
static int end_wait(struct pgusher_queue *queue, int64_t ms)
{
    if (!has_ended(queue, ms) && !unblock(queue))
        return abandon(queue);
    handle_begin(queue);
    return receive_move(queue);
}

int pgusher_queue_wait_end(struct pgusher_queue *queue)
{
    handle_begin(queue);
    if (!queue->waiting)
        return handle_refuse(queue, "no wait is under way");
    return end_wait(queue, pgusher_queue_wait_ms(queue));
}

int pgusher_queue_wait_cancel(struct pgusher_queue *queue)
{
    handle_begin(queue);
    return queue->waiting && end_wait(queue, 0) < 0 ? -1 : 0;
}
