#include "tests/queue_model/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/queue_model/fault.h"
#include "tests/queue_model/native.h"

#define FIRST_MS 1700000000000

/* ---- documents ---- */

/* Every seventh has a name that no one would think of. */
struct pgusher_queue_item doc_item(int doc)
{
    static char names[MAX_DOCS][32];
    static size_t lens[MAX_DOCS];

    if (!lens[doc]) {
        size_t len = (size_t)snprintf(names[doc], sizeof(names[doc]), "event:%d", doc);

        if (doc % 7 == 3) {
            memcpy(names[doc] + len, " \"\n\0\xff%s 1", 9);
            len += 9;
        }
        lens[doc] = len;
    }
    return (struct pgusher_queue_item){names[doc], lens[doc]};
}

int doc_of(const char *data, size_t len)
{
    int doc = len > 6 && memcmp(data, "event:", 6) == 0 ? atoi(data + 6) : -1;

    if (doc < 0 || doc >= MAX_DOCS)
        return -1;
    return doc_item(doc).len == len && memcmp(doc_item(doc).data, data, len) == 0 ? doc : -1;
}

bool config_is_native(const struct config *config)
{
    return !config->plain_consumers && !config->plain_producers;
}

/* ---- beginning and end ---- */

static void forget_all_keys(struct world *world)
{
    freeReplyObject(world_redis(world, "FLUSHALL"));
    freeReplyObject(world_redis(world, "SET test:now %lld", (long long)world->now));
}

void world_begin(struct world *world, const struct config *config, const char *url, redisContext *redis,
                 uint64_t seed)
{
    memset(world, 0, sizeof(*world));
    world->config = config;
    world->url = url;
    world->redis = redis;
    world->seed = world->chance = seed;
    world->now = FIRST_MS;
    fault_seed(seed);
    for (int i = 0; i < MAX_PLAIN; i++)
        world->plains[i].doc = -1;
    forget_all_keys(world);
    world->producer = native_connect(world);
}

/* Closing leaves the queue: the keys go afterwards. */
void world_end(struct world *world)
{
    fault_disarm();
    for (size_t i = 0; i < world->nhandles; i++)
        handle_free(&world->handles[i]);
    pgusher_queue_close(world->producer);
    forget_all_keys(world);
}

/* ---- chance: splitmix64 ---- */

uint64_t world_random(struct world *world)
{
    uint64_t z = world->chance += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

size_t world_below(struct world *world, size_t limit)
{
    return (size_t)(world_random(world) % limit);
}

bool world_percent(struct world *world, unsigned percent)
{
    return world_below(world, 100) < percent;
}

/* ---- time ---- */

void world_set_time(struct world *world, int64_t now)
{
    world->now = now;
    freeReplyObject(world_redis(world, "SET test:now %lld", (long long)now));
    native_note_lapses(world);
}

void world_pass(struct world *world, int64_t ms)
{
    world_set_time(world, world->now + ms);
}

/* ---- Redis ---- */

static void die(const char *what, const char *why)
{
    printf("Bail out! %s: %s\n", what, why);
    exit(2);
}

static redisReply *checked(struct world *world, redisReply *reply, const char *what)
{
    if (!reply)
        die(what, world->redis->errstr);
    if (reply->type == REDIS_REPLY_ERROR)
        die(what, reply->str);
    return reply;
}

redisReply *world_redis(struct world *world, const char *format, ...)
{
    va_list args;
    redisReply *reply;

    va_start(args, format);
    reply = redisvCommand(world->redis, format, args);
    va_end(args);
    return checked(world, reply, format);
}

int64_t world_integer(struct world *world, const char *format, ...)
{
    va_list args;
    redisReply *reply;
    int64_t value;

    va_start(args, format);
    reply = checked(world, redisvCommand(world->redis, format, args), format);
    va_end(args);
    value = reply->type == REDIS_REPLY_INTEGER  ? reply->integer
            : reply->type == REDIS_REPLY_STRING ? atoll(reply->str)
                                                : 0;
    freeReplyObject(reply);
    return value;
}

/* Read once; $QUEUE_MODEL_SCRIPTS is the folder of the scripts as they are built. */
static const char *script_text(const char *name)
{
    static struct {
        char name[16];
        char *text;
    } known[16];
    char path[512];
    size_t i = 0;
    FILE *file;

    while (known[i].text && strcmp(known[i].name, name) != 0)
        i++;
    if (known[i].text)
        return known[i].text;
    snprintf(path, sizeof(path), "%s/%s.lua", getenv("QUEUE_MODEL_SCRIPTS"), name);
    file = fopen(path, "r");
    if (!file)
        die("no script", path);
    known[i].text = calloc(1, 65536);
    if (fread(known[i].text, 1, 65535, file) == 0)
        die("empty script", path);
    fclose(file);
    snprintf(known[i].name, sizeof(known[i].name), "%s", name);
    return known[i].text;
}

redisReply *world_script(struct world *world, const char *name, const char *consumer, int argc,
                         const char *const *argv)
{
    static const char *const keys[] = {"",         ":marks", ":inflight", ":dirty",     ":meta",
                                       ":delayed", ":dead",  ":failures", ":consumers", ":later"};
    const char *words[64] = {"EVAL", script_text(name), consumer ? "11" : "10"};
    char names[11][200];
    int count = 3;

    for (int i = 0; i < 10; i++) {
        snprintf(names[i], sizeof(names[i]), QUEUE "%s", keys[i]);
        words[count++] = names[i];
    }
    if (consumer) {
        snprintf(names[10], sizeof(names[10]), QUEUE ":processing:%s", consumer);
        words[count++] = names[10];
    }
    for (int i = 0; i < argc; i++)
        words[count++] = argv[i];
    return checked(world, redisCommandArgv(world->redis, count, words, NULL), name);
}

void world_digest(struct world *world, char digest[41])
{
    redisReply *reply = world_redis(world, "DEBUG DIGEST");

    snprintf(digest, 41, "%s", reply->str);
    freeReplyObject(reply);
}
