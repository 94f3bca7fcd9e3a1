#include "queue/keys.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

static const char *const suffixes[KEY_COUNT] = {
    [KEY_WAITING] = "",     [KEY_MARKS] = ":marks",       [KEY_INFLIGHT] = ":inflight",
    [KEY_DIRTY] = ":dirty", [KEY_META] = ":meta",         [KEY_DELAYED] = ":delayed",
    [KEY_DEAD] = ":dead",   [KEY_FAILURES] = ":failures", [KEY_CONSUMERS] = ":consumers",
    [KEY_LATER] = ":later", [KEY_PLAIN] = "-processing",  [KEY_SEEN] = ":seen",
};

bool queue_keys_init(struct queue_keys *keys, const char *queue)
{
    bool whole = true;

    for (size_t i = 0; i < KEY_COUNT; i++) {
        keys->name[i] = mem_printf("%s%s", queue, suffixes[i]);
        whole = whole && keys->name[i];
    }
    return whole;
}

void queue_keys_free(struct queue_keys *keys)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        free(keys->name[i]);
}

char *queue_processing_key(const struct queue_keys *keys, const char *consumer)
{
    return mem_printf("%s:processing:%s", keys->name[KEY_WAITING], consumer);
}

struct script_call *queue_call_new(const struct queue_keys *keys, const struct script *script)
{
    struct script_call *call = script_call_new(script);

    for (size_t i = 0; i < KEY_COMMON; i++)
        queue_call_key(call, keys, i);
    return call;
}

void queue_call_key(struct script_call *call, const struct queue_keys *keys, enum queue_key key)
{
    script_key(call, keys->name[key], strlen(keys->name[key]));
}

void queue_call_processing_key(struct script_call *call, const struct queue_keys *keys, const char *consumer)
{
    char *key = queue_processing_key(keys, consumer);

    if (key)
        script_key(call, key, strlen(key));
    else
        script_call_fail(call);
    free(key);
}

void queue_call_lane(struct script_call *call, enum queue_lane lane)
{
    static const char *const words[] = {[LANE_NOW] = "", [LANE_LATER] = "later", [LANE_SOONER] = "sooner"};

    script_arg(call, "", 0); /* coalesce or not, as the queue's settings say */
    script_arg(call, words[lane], strlen(words[lane]));
}
