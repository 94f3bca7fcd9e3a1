#include "common/redis_guard.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

enum { MAX_ELEMENTS = 1 << 24, MESSAGE_ELEMENTS = 3 };

struct redis_guard {
    redisReplyObjectFunctions functions; /* what the reader calls: hiredis's own but for those below */
    const redisReplyObjectFunctions *own;
    const size_t *outstanding;
    char *channel; /* NULL: not subscribed */
    bool is_message;
    bool over;
    void (*refused)(void *arg, const char *why);
    void *arg;
};

#if HIREDIS_MAJOR >= 1
typedef size_t count_type;
#else
typedef int count_type;
#endif

static void *refuse(struct redis_guard *guard, const char *why)
{
    if (!guard->over)
        guard->refused(guard->arg, why);
    guard->over = true;
    return NULL;
}

/* A reply begins here, or one is at hand that was asked for. */
static bool is_asked_for(struct redis_guard *guard, const redisReadTask *task)
{
    if (!task->parent)
        guard->is_message = false;
    return !guard->is_message && *guard->outstanding > 0;
}

/* ["message" or "subscribe", channel, text or number]: hiredis finds the callback by the second. */
static bool fits_message(const struct redis_guard *guard, const redisReadTask *task, const char *text,
                         size_t len)
{
    const char *const wanted[] = {"message", "subscribe"};

    if (!guard->is_message || task->parent->parent)
        return false;
    if (task->idx == 1)
        return strlen(guard->channel) == len && memcmp(guard->channel, text, len) == 0;
    for (size_t i = 0; task->idx == 0 && i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (strlen(wanted[i]) == len && memcmp(wanted[i], text, len) == 0)
            return task->type == REDIS_REPLY_STRING;
    return task->idx == 2;
}

static const char unasked[] = "it says what nobody asked for";

static void *create_string(const redisReadTask *task, char *text, size_t len)
{
    struct redis_guard *guard = task->privdata;

    /* An error that nobody asked for, "max number of clients reached" say, hiredis takes for the end. */
    if (!is_asked_for(guard, task) && !fits_message(guard, task, text, len) &&
        (task->parent || task->type != REDIS_REPLY_ERROR))
        return refuse(guard, unasked);
    return guard->own->createString(task, text, len);
}

static void *create_array(const redisReadTask *task, count_type elements)
{
    struct redis_guard *guard = task->privdata;

    if (elements > MAX_ELEMENTS)
        return refuse(guard, "an array of its claims to be larger than any that was asked for");
    if (!is_asked_for(guard, task)) {
        if (!guard->channel || task->parent || elements != MESSAGE_ELEMENTS)
            return refuse(guard, unasked);
        guard->is_message = true;
    }
    return guard->own->createArray(task, elements);
}

static void *create_integer(const redisReadTask *task, long long value)
{
    struct redis_guard *guard = task->privdata;

    if (!is_asked_for(guard, task) && !(guard->is_message && task->idx == 2))
        return refuse(guard, unasked);
    return guard->own->createInteger(task, value);
}

static void *create_nil(const redisReadTask *task)
{
    struct redis_guard *guard = task->privdata;

    return is_asked_for(guard, task) ? guard->own->createNil(task) : refuse(guard, unasked);
}

#if HIREDIS_MAJOR >= 1
static void *create_double(const redisReadTask *task, double value, char *text, size_t len)
{
    struct redis_guard *guard = task->privdata;

    return is_asked_for(guard, task) ? guard->own->createDouble(task, value, text, len)
                                     : refuse(guard, unasked);
}

static void *create_bool(const redisReadTask *task, int value)
{
    struct redis_guard *guard = task->privdata;

    return is_asked_for(guard, task) ? guard->own->createBool(task, value) : refuse(guard, unasked);
}
#endif

struct redis_guard *redis_guard_new(struct redisReader *reader, const size_t *outstanding,
                                    void (*refused)(void *arg, const char *why), void *arg)
{
    struct redis_guard *guard = mem_zalloc(sizeof(*guard));

    guard->own = reader->fn;
    guard->functions = *reader->fn;
    guard->functions.createString = create_string;
    guard->functions.createArray = create_array;
    guard->functions.createInteger = create_integer;
    guard->functions.createNil = create_nil;
#if HIREDIS_MAJOR >= 1
    guard->functions.createDouble = create_double;
    guard->functions.createBool = create_bool;
#endif
    guard->outstanding = outstanding;
    guard->refused = refused;
    guard->arg = arg;
    reader->fn = &guard->functions;
    reader->privdata = guard;
    return guard;
}

void redis_guard_subscribe(struct redis_guard *guard, const char *channel)
{
    mem_replace(&guard->channel, channel);
}

void redis_guard_free(struct redis_guard *guard)
{
    if (!guard)
        return;
    free(guard->channel);
    free(guard);
}

bool redis_guard_submit(redisAsyncContext *context, redisCallbackFn *fn, void *arg, const char *command,
                        size_t len)
{
    const struct redisCallback *last = context->replies.tail;

    if (redisAsyncFormattedCommand(context, fn, arg, command, len) != REDIS_OK)
        return false;
    if (!(context->c.flags & REDIS_SUBSCRIBED) &&
        (context->err == REDIS_ERR_OOM || context->replies.tail == last))
        mem_exhausted();
    return true;
}
