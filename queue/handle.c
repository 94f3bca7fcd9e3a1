#include "queue/handle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/redis_error.h"
#include "lua/scripts.h"

enum { DEFAULT_LEASE_MS = 30000, DEFAULT_TIMEOUT_MS = 5000, MAX_REDIRECTS = 5 };

/* ---- opening and closing ---- */

/* Unique for ever: a name that is used again would adopt what the old one left. */
static char *consumer_name(const char *prefix)
{
    char host[65] = "";
    uint32_t chance = 0;

    if (!prefix && gethostname(host, sizeof(host) - 1) != 0)
        snprintf(host, sizeof(host), "localhost");
    if (getrandom(&chance, sizeof(chance), 0) != sizeof(chance))
        chance = (uint32_t)(uintptr_t)&chance;
    return mem_printf("%s:%ld:%08x", prefix ? prefix : host, (long)getpid(), chance);
}

static int check_options(const struct pgusher_queue_options *options, struct err *err)
{
    if (!options->redis || !options->queue || !options->queue[0])
        err_set(err, ST_REFUSED, "options.redis and options.queue must be set");
    else if (options->lease_ms < 0 ||
             (options->lease_ms > 0 && options->lease_ms < PGUSHER_QUEUE_MIN_LEASE_MS))
        err_set(err, ST_REFUSED, "options.lease_ms must be at least %d", PGUSHER_QUEUE_MIN_LEASE_MS);
    else if (options->timeout_ms < 0 || options->max_failures < 0 || options->max_crashes < 0 ||
             options->plain_timeout_ms < 0)
        err_set(err, ST_REFUSED, "a limit or timeout in the options is negative");
    return err->status == ST_OK ? 0 : -1;
}

/* Takes the address over; NULL when memory is out, and then it does not. */
static struct pgusher_queue *handle_new(const struct pgusher_queue_options *options,
                                        const struct redis_url *url)
{
    struct pgusher_queue *queue = mem_zalloc(sizeof(*queue));
    bool named;

    if (!queue)
        return NULL;
    named = queue_keys_init(&queue->keys, options->queue);
    queue->consumer = consumer_name(options->consumer);
    queue->lease_ms = options->lease_ms ? options->lease_ms : DEFAULT_LEASE_MS;
    queue->timeout_ms = options->timeout_ms ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
    queue->settings = (struct queue_settings){options->max_failures, options->max_crashes,
                                              options->plain_timeout_ms, options->coalesce};
    queue->link = rlink_new(url, queue->timeout_ms);
    queue->waiter = rlink_new(url, queue->timeout_ms);
    if (!named || !queue->consumer || !queue->link || !queue->waiter) {
        pgusher_queue_close(queue);
        return NULL;
    }
    queue->url = *url;
    queue->due_ms = -1;
    queue->reserved_at_ms = INT64_MIN / 2; /* never */
    snprintf(queue->last_token, sizeof(queue->last_token), "0");
    return queue;
}

static struct pgusher_queue *fail(const struct err *err, char *error, size_t error_size)
{
    if (error && error_size)
        snprintf(error, error_size, "%s", err->text);
    return NULL;
}

struct pgusher_queue *pgusher_queue_new(const struct pgusher_queue_options *options, char *error,
                                        size_t error_size)
{
    struct err err = ERR_NONE;
    struct pgusher_queue *queue = NULL;
    struct redis_url url;

    if (check_options(options, &err) != 0 || redis_url_parse(options->redis, &url, &err) != 0)
        return fail(&err, error, error_size);
    if (redis_url_set_password(&url, options->password))
        queue = handle_new(options, &url);
    if (queue)
        return queue;
    redis_url_free(&url);
    err_set_memory(&err);
    return fail(&err, error, error_size);
}

struct pgusher_queue *pgusher_queue_open(const struct pgusher_queue_options *options, char *error,
                                         size_t error_size)
{
    struct pgusher_queue *queue = pgusher_queue_new(options, error, error_size);
    struct err err = ERR_NONE;

    if (!queue || rlink_open(queue->link, &err) == 0)
        return queue;
    pgusher_queue_close(queue);
    return fail(&err, error, error_size);
}

/* A blocking move that outlives its consumer's registration would strand what it brings: then the end of the
 * lease does the leaving. */
static void leave(struct pgusher_queue *queue)
{
    struct script_call *call;

    if (!queue->registered || pgusher_queue_wait_cancel(queue) != 0 ||
        (queue->wait_lost && clock_mono_ms() < queue->wait_until_ms))
        return;
    call = queue_call_new(&queue->keys, &script_release);
    queue_call_processing_key(call, &queue->keys, queue->consumer);
    script_arg(call, queue->consumer, strlen(queue->consumer));
    script_arg(call, "*", 1);
    freeReplyObject(handle_call(queue, call));
}

void pgusher_queue_close(struct pgusher_queue *queue)
{
    if (!queue)
        return;
    leave(queue);
    rlink_free(queue->link);
    rlink_free(queue->waiter);
    redis_url_free(&queue->url);
    queue_keys_free(&queue->keys);
    free(queue->consumer);
    free(queue);
}

void handle_abandon(struct pgusher_queue *queue)
{
    if (queue)
        queue->registered = false;
    pgusher_queue_close(queue);
}

const char *pgusher_queue_name(const struct pgusher_queue *queue)
{
    return queue->keys.name[KEY_WAITING];
}

const char *pgusher_queue_consumer(const struct pgusher_queue *queue)
{
    return queue->consumer;
}

/* ---- errors ---- */

const char *pgusher_queue_error(const struct pgusher_queue *queue)
{
    return queue->err.text;
}

enum pgusher_queue_status pgusher_queue_status(const struct pgusher_queue *queue)
{
    static const enum pgusher_queue_status statuses[] = {
        [ST_OK] = PGUSHER_QUEUE_OK,         [ST_AGAIN] = PGUSHER_QUEUE_AGAIN,
        [ST_LOST] = PGUSHER_QUEUE_LOST,     [ST_REFUSED] = PGUSHER_QUEUE_REFUSED,
        [ST_CONFIG] = PGUSHER_QUEUE_CONFIG,
    };

    return statuses[queue->err.status];
}

void handle_begin(struct pgusher_queue *queue)
{
    err_clear(&queue->err);
}

int handle_refuse(struct pgusher_queue *queue, const char *format, ...)
{
    char text[sizeof(queue->err.text)];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    err_set(&queue->err, ST_REFUSED, "%s", text);
    return -1;
}

int handle_out_of_memory(struct pgusher_queue *queue)
{
    err_set_memory(&queue->err);
    return -1;
}

static void take_error(struct pgusher_queue *queue, const char *text)
{
    if (strncmp(text, "CROSSSLOT", 9) == 0)
        err_set(&queue->err, ST_CONFIG,
                "this is a Redis Cluster: the name of a queue must hold a hash tag there, such as {%s}",
                pgusher_queue_name(queue));
    else if (strncmp(text, "ERR Protocol error: unauthenticated", 35) == 0)
        err_set(&queue->err, ST_CONFIG, "Redis: NOAUTH Authentication required.");
    else if (strncmp(text, "ASK ", 4) == 0)
        err_set(&queue->err, ST_AGAIN, "Redis: the queue's slot is being moved to another node");
    else
        err_set(&queue->err, redis_error_classify(text), "Redis: %s", text);
}

/* ---- calls ---- */

static bool is_error(const redisReply *reply, const char *word)
{
    return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, word, strlen(word)) == 0;
}

static redisReply *exchange(struct pgusher_queue *queue, const struct buf *command)
{
    redisReply *reply = NULL;

    rlink_leave_former_primary(queue->link);
    if (!rlink_is_open(queue->link))
        queue->introduced = false;
    if (rlink_exchange(queue->link, command, 1, &reply, &queue->err) != 0)
        return NULL;
    return reply;
}

static bool was_moved(struct pgusher_queue *queue, const redisReply *reply)
{
    return reply && reply->type == REDIS_REPLY_ERROR && rlink_follow(queue->link, reply->str) &&
           rlink_follow(queue->waiter, reply->str);
}

static redisReply *exchange_where_it_is(struct pgusher_queue *queue, const struct buf *command)
{
    redisReply *reply = exchange(queue, command);

    for (int i = 0; i < MAX_REDIRECTS && was_moved(queue, reply); i++) {
        freeReplyObject(reply);
        reply = exchange(queue, command);
    }
    return reply;
}

static redisReply *without_error(struct pgusher_queue *queue, redisReply *reply)
{
    if (!reply || reply->type != REDIS_REPLY_ERROR)
        return reply;
    take_error(queue, reply->str);
    if (queue->err.status == ST_LOST)
        rlink_close(queue->link); /* not the primary any more: look for it again */
    freeReplyObject(reply);
    return NULL;
}

redisReply *handle_call(struct pgusher_queue *queue, struct script_call *call)
{
    struct buf command = BUF_NONE;
    redisReply *reply;

    script_encode(call, SCRIPT_EVALSHA, &command);
    reply = exchange_where_it_is(queue, &command);
    if (reply && is_error(reply, "NOSCRIPT")) {
        freeReplyObject(reply);
        buf_clear(&command);
        script_encode(call, SCRIPT_EVAL, &command);
        reply = exchange_where_it_is(queue, &command);
    }
    buf_free(&command);
    script_call_free(call);
    return without_error(queue, reply);
}

redisReply *handle_expect(struct pgusher_queue *queue, redisReply *reply, bool so)
{
    if (!reply || so)
        return reply;
    freeReplyObject(reply);
    handle_refuse(queue, "an odd reply: is this a Redis, and its scripts ours?");
    return NULL;
}

redisReply *handle_call_for(struct pgusher_queue *queue, struct script_call *call, int type, size_t elements)
{
    redisReply *reply = handle_call(queue, call);

    return handle_expect(queue, reply,
                         reply && reply->type == type &&
                             (type != REDIS_REPLY_ARRAY || reply->elements == elements));
}

int64_t handle_call_integer(struct pgusher_queue *queue, struct script_call *call)
{
    redisReply *reply = handle_call_for(queue, call, REDIS_REPLY_INTEGER, 0);
    int64_t value = reply ? reply->integer : -1;

    freeReplyObject(reply);
    return value;
}

redisReply *handle_raw(struct pgusher_queue *queue, const struct buf *command)
{
    return without_error(queue, exchange_where_it_is(queue, command));
}

redisReply *handle_command(struct pgusher_queue *queue, int argc, const char *const *argv)
{
    struct buf command = BUF_NONE;
    redisReply *reply;

    resp_put_command(&command, argc, argv);
    reply = handle_raw(queue, &command);
    buf_free(&command);
    return reply;
}
