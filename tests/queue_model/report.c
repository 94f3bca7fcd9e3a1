#include "tests/queue_model/report.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t counts[EVENTS];

void world_count(enum event event, size_t count)
{
    counts[event] += count;
}

void world_count_anew(void)
{
    memset(counts, 0, sizeof(counts));
}

bool world_was_lively(size_t least)
{
    static const char *const names[EVENTS] = {
        "given", "settled",           "stale",       "queued again", "dead letters",
        "moved", "crashes in flight", "lost answers"};
    bool lively = true;

    printf("#");
    for (int i = 0; i < EVENTS; i++) {
        printf(" %zu %s%s", counts[i], names[i], i + 1 < EVENTS ? "," : "\n");
        lively = lively && counts[i] >= least;
    }
    return lively;
}

void world_note(struct world *world, const char *format, ...)
{
    char *line = world->trail[world->step % TRAIL];
    size_t len = strlen(line);
    va_list args;

    if (len + 1 >= sizeof(world->trail[0]))
        return;
    if (len)
        line[len++] = ';';
    va_start(args, format);
    vsnprintf(line + len, sizeof(world->trail[0]) - len, format, args);
    va_end(args);
}

bool world_broken(struct world *world, const char *format, ...)
{
    va_list args;

    if (world->broken)
        return false;
    world->broken = true;
    va_start(args, format);
    vsnprintf(world->why, sizeof(world->why), format, args);
    va_end(args);
    return false;
}

static void print_text(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (isprint((unsigned char)text[i]))
            putchar(text[i]);
        else
            printf("\\x%02x", (unsigned char)text[i]);
    }
}

static void print_reply(const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_ERROR)
        print_text(reply->str, (size_t)reply->len);
    else if (reply->type == REDIS_REPLY_INTEGER)
        printf("%lld", reply->integer);
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        printf("%s", i ? " | " : "");
        print_reply(reply->element[i]);
    }
}

static const char *reading_of(const char *type)
{
    static const char *const readings[][2] = {{"list", "LRANGE %b 0 -1"},
                                              {"hash", "HGETALL %b"},
                                              {"set", "SMEMBERS %b"},
                                              {"zset", "ZRANGE %b 0 -1 WITHSCORES"},
                                              {"string", "GET %b"}};

    for (size_t i = 0; i < sizeof(readings) / sizeof(readings[0]); i++) {
        if (strcmp(readings[i][0], type) == 0)
            return readings[i][1];
    }
    return NULL;
}

static void print_key(struct world *world, const redisReply *key)
{
    redisReply *type = world_redis(world, "TYPE %b", key->str, (size_t)key->len);
    const char *reading = reading_of(type->str);
    redisReply *content;

    freeReplyObject(type);
    if (!reading)
        return;
    content = world_redis(world, reading, key->str, (size_t)key->len);
    printf("#   %s: ", key->str);
    print_reply(content);
    printf("\n");
    freeReplyObject(content);
}

static int by_name(const void *a, const void *b)
{
    const redisReply *const *one = a, *const *other = b;

    return strcmp((*one)->str, (*other)->str);
}

static void print_state(struct world *world)
{
    redisReply *keys = world_redis(world, "KEYS *");

    qsort(keys->element, keys->elements, sizeof(keys->element[0]), by_name);
    for (size_t i = 0; i < keys->elements; i++)
        print_key(world, keys->element[i]);
    freeReplyObject(keys);
}

void world_report(struct world *world)
{
    int first = world->step < TRAIL ? 0 : world->step - TRAIL + 1;

    printf("# %s\n# seed %llu, step %d; the last steps:\n", world->why, (unsigned long long)world->seed,
           world->step);
    for (int step = first; step <= world->step; step++)
        printf("#   %d %s\n", step, world->trail[step % TRAIL]);
    printf("# the keys:\n");
    print_state(world);
}
