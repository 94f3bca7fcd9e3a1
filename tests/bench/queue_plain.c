/* The bare pattern in C, with hiredis, as a contestant (turn.h):
 *
 *     queue_plain SOCKET drain BATCH          handles all that waits: RPOPLPUSH, then LREM, each a pipeline
 * of BATCH queue_plain SOCKET produce RATE COUNT   pushes items that are the time of their pushing, RATE a
 * second
 */
#include <hiredis/hiredis.h>
#include <string.h>

#include "tests/bench/turn.h"

enum { MAX_BATCH = 1000 };

static redisContext *server;

static redisReply *next_reply(void)
{
    void *reply;

    if (redisGetReply(server, &reply) == REDIS_OK && ((redisReply *)reply)->type != REDIS_REPLY_ERROR)
        return reply;
    fprintf(stderr, "queue_plain: %s\n", server->err ? server->errstr : ((redisReply *)reply)->str);
    exit(1);
}

static long reserve(redisReply **items, long batch)
{
    long count = 0;

    for (long i = 0; i < batch; i++)
        redisAppendCommand(server, "RPOPLPUSH Q Q-processing");
    for (long i = 0; i < batch; i++) {
        items[count] = next_reply();
        if (items[count]->type == REDIS_REPLY_STRING)
            count++;
        else
            freeReplyObject(items[count]);
    }
    return count;
}

static void ack(redisReply **items, long count)
{
    for (long i = 0; i < count; i++)
        redisAppendCommand(server, "LREM Q-processing -1 %b", items[i]->str, items[i]->len);
    for (long i = 0; i < count; i++) {
        freeReplyObject(next_reply());
        freeReplyObject(items[i]);
    }
}

static void drain(long batch)
{
    redisReply *items[MAX_BATCH];
    int64_t start_ns = turn_begin();
    size_t done = 0;
    long count;

    while ((count = reserve(items, batch < MAX_BATCH ? batch : MAX_BATCH)) > 0) {
        ack(items, count);
        done += (size_t)count;
    }
    turn_report(done, start_ns, turn_now_ns());
}

static void push_time(void *context)
{
    (void)context;
    redisAppendCommand(server, "LPUSH Q %lld", (long long)turn_now_ns());
    freeReplyObject(next_reply());
}

static void produce(long rate, long count)
{
    int64_t start_ns = turn_begin();

    turn_pace(rate, count, push_time, NULL);
    turn_report((size_t)count, start_ns, turn_now_ns());
}

static int64_t handle_one(void)
{
    redisReply *item;
    int64_t age_ns;

    redisAppendCommand(server, "BRPOPLPUSH Q Q-processing 10");
    item = next_reply();
    age_ns = turn_now_ns() - (item->str ? strtoll(item->str, NULL, 10) : 0);
    ack(&item, 1);
    return age_ns;
}

static void handle(size_t count)
{
    int64_t *ages_ns = calloc(count, sizeof(*ages_ns));

    if (!ages_ns)
        exit(1);
    turn_begin();
    for (size_t done = 0; done < count; done++)
        ages_ns[done] = handle_one();
    turn_report_ages(ages_ns, count);
    free(ages_ns);
}

static int run(const char *verb, long first, long second)
{
    if (strcmp(verb, "drain") == 0)
        drain(first);
    else if (strcmp(verb, "produce") == 0)
        produce(first, second);
    else if (strcmp(verb, "handle") == 0)
        handle((size_t)second);
    else
        return 2;
    return 0;
}

int main(int argc, char **argv)
{
    int status;

    if (argc < 4)
        return 2;
    server = redisConnectUnix(argv[1]);
    if (!server || server->err) {
        fprintf(stderr, "queue_plain: %s\n", server ? server->errstr : "out of memory");
        return 1;
    }
    status = run(argv[2], strtol(argv[3], NULL, 10), argc > 4 ? strtol(argv[4], NULL, 10) : 0);
    redisFree(server);
    return status;
}
