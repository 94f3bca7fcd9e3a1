/* Recovery, replay, removal. */
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "lua/scripts.h"
#include "queue/handle.h"

enum { RECOVER_CALL = 250, PLAIN_WINDOW = 1000, LIST_TRIES = 5 };

redisReply *handle_consumers(struct pgusher_queue *queue)
{
    const char *const argv[] = {"ZRANGE", queue->keys.name[KEY_CONSUMERS], "0", "-1"};
    redisReply *names = handle_command(queue, 4, argv);

    return handle_expect(queue, names, is_array_of_strings(names, false));
}

/* ---- recovery ---- */

static struct script_call *recover_call(const struct pgusher_queue *queue, const char *consumer)
{
    struct script_call *call = queue_call_new(&queue->keys, &script_recover);

    queue_call_processing_key(call, &queue->keys, consumer);
    script_arg(call, consumer, strlen(consumer));
    script_arg_int(call, RECOVER_CALL);
    script_arg(call, queue->run_id, strlen(queue->run_id));
    script_arg_int(call, queue->lease_ms);
    return call;
}

int64_t handle_recover_consumer(struct pgusher_queue *queue, const char *consumer)
{
    int64_t total = 0, left = 1;

    while (left > 0) {
        redisReply *reply = handle_call_for(queue, recover_call(queue, consumer), REDIS_REPLY_ARRAY, 4);

        if (!reply)
            return -1;
        total += reply->element[1]->integer + reply->element[2]->integer;
        left = reply->element[0]->integer ? reply->element[3]->integer : 0;
        freeReplyObject(reply);
    }
    return total;
}

int64_t handle_recover_plain(struct pgusher_queue *queue)
{
    struct script_call *call = queue_call_new(&queue->keys, &script_recover_plain);

    queue_call_key(call, &queue->keys, KEY_PLAIN);
    queue_call_key(call, &queue->keys, KEY_SEEN);
    script_arg(call, "", 0); /* the timeout of the queue's settings */
    script_arg_int(call, PLAIN_WINDOW);
    return handle_call_integer(queue, call);
}

/* One that cannot be recovered (a list that is none) must not keep the others from it; its error is told at
 * the end. */
static int64_t recover_each(struct pgusher_queue *queue, const redisReply *consumers)
{
    struct err first = ERR_NONE;
    int64_t total = 0;

    for (size_t i = 0; i < consumers->elements; i++) {
        int64_t recovered = handle_recover_consumer(queue, consumers->element[i]->str);

        total += recovered > 0 ? recovered : 0;
        if (recovered < 0)
            err_copy(&first, &queue->err);
        if (recovered < 0 && queue->err.status != ST_REFUSED)
            break;
        handle_begin(queue);
    }
    err_copy(&queue->err, &first);
    return total;
}

int64_t handle_recover_consumers(struct pgusher_queue *queue)
{
    redisReply *consumers = handle_consumers(queue);
    int64_t total = consumers ? recover_each(queue, consumers) : -1;

    freeReplyObject(consumers);
    return total;
}

int pgusher_queue_recover(struct pgusher_queue *queue)
{
    int64_t total, plain;

    handle_begin(queue);
    if (handle_introduce(queue) != 0)
        return -1;
    total = handle_recover_consumers(queue);
    if (queue->err.status != ST_OK)
        return -1;
    plain = handle_recover_plain(queue);
    return plain < 0 ? -1 : (int)(total + plain);
}

static redisReply *sweep_from(struct pgusher_queue *queue, const char *cursor, bool remove)
{
    struct script_call *call = queue_call_new(&queue->keys, &script_sweep);
    redisReply *reply;

    script_arg(call, cursor, strlen(cursor));
    script_arg(call, remove ? "1" : "0", 1);
    reply = handle_call_for(queue, call, REDIS_REPLY_ARRAY, 2);
    return handle_expect(queue, reply, reply && reply->element[0]->str);
}

int64_t handle_sweep(struct pgusher_queue *queue, bool remove)
{
    redisReply *reply = sweep_from(queue, "0", remove);
    int64_t total = 0;

    while (reply) {
        redisReply *last = reply;
        bool whole = strcmp(last->element[0]->str, "0") == 0;

        total += last->element[1]->integer;
        reply = whole ? NULL : sweep_from(queue, last->element[0]->str, remove);
        freeReplyObject(last);
        if (whole)
            return total;
    }
    return -1;
}

/* ---- replay and removal ---- */

static size_t chunk_of(size_t left)
{
    return left < PGUSHER_QUEUE_MAX_ITEMS ? left : PGUSHER_QUEUE_MAX_ITEMS;
}

static void add_items(struct script_call *call, const struct pgusher_queue_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        script_arg(call, items[i].data, items[i].len);
}

/* Counts what was done to how many, and says of each. */
static int64_t count_done(redisReply *reply, bool *ret_done)
{
    int64_t done = 0;

    for (size_t i = 0; i < reply->elements; i++) {
        bool yes = reply->element[i]->integer == 1;

        done += yes;
        if (ret_done)
            ret_done[i] = yes;
    }
    freeReplyObject(reply);
    return done;
}

static int64_t replay_some(struct pgusher_queue *queue, const struct pgusher_queue_item *items, size_t count,
                           bool *ret_done)
{
    struct script_call *call = queue_call_new(&queue->keys, &script_replay);
    redisReply *reply;

    add_items(call, items, count);
    reply = handle_call_for(queue, call, REDIS_REPLY_ARRAY, count);
    return reply ? count_done(reply, ret_done) : -1;
}

/* All consumers' lists, because any may hold a copy. */
static struct script_call *call_with_all_lists(struct pgusher_queue *queue, const struct script *script,
                                               redisReply **ret_consumers)
{
    redisReply *consumers = handle_consumers(queue);
    struct script_call *call;

    if (!consumers)
        return NULL;
    call = queue_call_new(&queue->keys, script);
    if (!call) {
        freeReplyObject(consumers);
        handle_out_of_memory(queue);
        return NULL;
    }
    queue_call_key(call, &queue->keys, KEY_PLAIN);
    queue_call_key(call, &queue->keys, KEY_SEEN);
    for (size_t i = 0; i < consumers->elements; i++)
        queue_call_processing_key(call, &queue->keys, consumers->element[i]->str);
    *ret_consumers = consumers;
    return call;
}

static redisReply *remove_once(struct pgusher_queue *queue, const struct pgusher_queue_item *items,
                               size_t count)
{
    redisReply *consumers;
    struct script_call *call = call_with_all_lists(queue, &script_rm, &consumers);

    if (!call)
        return NULL;
    script_arg_int(call, (int64_t)consumers->elements);
    for (size_t i = 0; i < consumers->elements; i++)
        script_arg(call, consumers->element[i]->str, (size_t)consumers->element[i]->len);
    freeReplyObject(consumers);
    add_items(call, items, count);
    return handle_call_for(queue, call, REDIS_REPLY_ARRAY, count);
}

/* Whether another consumer has come since they were asked for, and it may be tried once more. */
static bool lists_were_missing(struct pgusher_queue *queue, int *tries)
{
    if (strncmp(queue->err.text, "Redis: TRYAGAIN", 15) != 0 || ++*tries > LIST_TRIES)
        return false;
    handle_begin(queue);
    return true;
}

static int64_t remove_some(struct pgusher_queue *queue, const struct pgusher_queue_item *items, size_t count,
                           bool *ret_done)
{
    redisReply *reply;
    int tries = 0;

    do {
        reply = remove_once(queue, items, count);
    } while (!reply && lists_were_missing(queue, &tries));
    return reply ? count_done(reply, ret_done) : -1;
}

typedef int64_t items_fn(struct pgusher_queue *queue, const struct pgusher_queue_item *items, size_t count,
                         bool *ret_done);

static int64_t in_chunks(struct pgusher_queue *queue, items_fn *fn, const struct pgusher_queue_item *items,
                         size_t count, bool *ret_done)
{
    int64_t total = 0;

    handle_begin(queue);
    for (size_t from = 0; from < count; from += PGUSHER_QUEUE_MAX_ITEMS) {
        int64_t done = fn(queue, items + from, chunk_of(count - from), ret_done ? ret_done + from : NULL);

        if (done < 0)
            return -1;
        total += done;
    }
    return total;
}

int64_t pgusher_queue_replay(struct pgusher_queue *queue, const struct pgusher_queue_item *items,
                             size_t count, bool *ret_done)
{
    return in_chunks(queue, replay_some, items, count, ret_done);
}

int64_t pgusher_queue_remove(struct pgusher_queue *queue, const struct pgusher_queue_item *items,
                             size_t count, bool *ret_done)
{
    return in_chunks(queue, remove_some, items, count, ret_done);
}

/* Those that were dead when it began: one that dies again meanwhile is not replayed for ever. */
int64_t pgusher_queue_replay_all(struct pgusher_queue *queue)
{
    const char *const argv[] = {"ZRANGE", queue->keys.name[KEY_DEAD], "0", "-1"};
    struct pgusher_queue_item *items;
    redisReply *dead;
    int64_t replayed;

    handle_begin(queue);
    if (handle_check_types(queue) != 0)
        return -1;
    dead = handle_command(queue, 4, argv);
    dead = handle_expect(queue, dead, is_array_of_strings(dead, false));
    if (!dead)
        return -1;
    items = mem_alloc(sizeof(*items) * (dead->elements + 1));
    if (!items) {
        freeReplyObject(dead);
        return handle_out_of_memory(queue);
    }
    for (size_t i = 0; i < dead->elements; i++)
        items[i] = (struct pgusher_queue_item){dead->element[i]->str, (size_t)dead->element[i]->len};
    replayed = pgusher_queue_replay(queue, items, dead->elements, NULL);
    free(items);
    freeReplyObject(dead);
    return replayed;
}

static int64_t purge(struct pgusher_queue *queue, const char *what)
{
    redisReply *consumers;
    struct script_call *call = call_with_all_lists(queue, &script_purge, &consumers);

    if (!call)
        return -1;
    freeReplyObject(consumers);
    script_arg(call, what, strlen(what));
    return handle_call_integer(queue, call);
}

int64_t pgusher_queue_purge_dead(struct pgusher_queue *queue)
{
    int64_t total = 0, some;

    handle_begin(queue);
    do {
        some = purge(queue, "dead");
        total += some;
    } while (some > 0);
    return some < 0 ? -1 : total;
}

int64_t pgusher_queue_purge_all(struct pgusher_queue *queue)
{
    int64_t count;
    int tries = 0;

    handle_begin(queue);
    do {
        count = purge(queue, "all");
    } while (count < 0 && lists_were_missing(queue, &tries));
    return count;
}

int pgusher_queue_pause(struct pgusher_queue *queue, bool paused)
{
    const char *const argv[] = {"HSET", queue->keys.name[KEY_META], "paused", paused ? "1" : "0"};
    redisReply *reply;

    handle_begin(queue);
    if (handle_check_types(queue) != 0)
        return -1;
    reply = handle_command(queue, 4, argv);
    freeReplyObject(reply);
    return reply ? 0 : -1;
}
