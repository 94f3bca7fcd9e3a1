#include "common/redis_nodes.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/redis_slot.h"

enum { MAX_PORT = 65535, MAX_DIGITS = 5 };

static bool is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS;
}

/* The value of a name in a list of names and values. */
static const char *field(const redisReply *list, const char *name)
{
    for (size_t i = 0; i + 1 < list->elements; i += 2)
        if (is_text(list->element[i]) && is_text(list->element[i + 1]) &&
            strcmp(list->element[i]->str, name) == 0)
            return list->element[i + 1]->str;
    return NULL;
}

static bool is_port(long long port)
{
    return port > 0 && port <= MAX_PORT;
}

bool redis_read_master(const redisReply *reply, const char **ret_host, int *ret_port)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || !is_text(reply->element[0]) ||
        !is_text(reply->element[1]) || !reply->element[0]->str[0] || !is_port(atoll(reply->element[1]->str)))
        return false;
    *ret_host = reply->element[0]->str;
    *ret_port = atoi(reply->element[1]->str);
    return true;
}

int64_t redis_read_master_epoch(const redisReply *reply)
{
    const char *epoch = reply->type == REDIS_REPLY_ARRAY ? field(reply, "config-epoch") : NULL;

    return epoch ? atoll(epoch) : 0;
}

static bool is_slot(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0 && reply->integer < REDIS_SLOTS;
}

bool redis_read_range(const redisReply *reply, size_t i, struct redis_range *ret_range)
{
    const redisReply *range, *primary;

    if (reply->type != REDIS_REPLY_ARRAY || i >= reply->elements)
        return false;
    range = reply->element[i];
    if (range->type != REDIS_REPLY_ARRAY || range->elements < 3 || !is_slot(range->element[0]) ||
        !is_slot(range->element[1]))
        return false;
    primary = range->element[2];
    if (primary->type != REDIS_REPLY_ARRAY || primary->elements < 2 ||
        primary->element[1]->type != REDIS_REPLY_INTEGER || !is_port(primary->element[1]->integer))
        return false;
    *ret_range = (struct redis_range){(int)range->element[0]->integer, (int)range->element[1]->integer,
                                      is_text(primary->element[0]) ? primary->element[0]->str : "",
                                      (int)primary->element[1]->integer};
    return true;
}

int64_t redis_read_cluster_epoch(const char *info)
{
    const char *epoch = strstr(info, "cluster_current_epoch:");

    if (!epoch || !strstr(info, "cluster_state:ok"))
        return -1;
    return atoll(epoch + strlen("cluster_current_epoch:"));
}

bool redis_is_primary(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 && is_text(reply->element[0]) &&
           strcmp(reply->element[0]->str, "master") == 0;
}

/* Digits, and what follows them; false: none, or more than can be meant. */
static bool read_digits(const char *text, int max, int *ret_number, const char **ret_end)
{
    size_t len = strspn(text, "0123456789");
    int number = len && len <= MAX_DIGITS ? atoi(text) : max + 1;

    *ret_number = number;
    *ret_end = text + len;
    return number <= max;
}

bool redis_read_redirect(const char *error, struct redis_redirect *ret_redirect)
{
    bool ask = strncmp(error, "ASK ", 4) == 0;
    const char *address;
    int slot;

    if ((!ask && strncmp(error, "MOVED ", 6) != 0) ||
        !read_digits(error + (ask ? 4 : 6), REDIS_SLOTS - 1, &slot, &address) || *address != ' ')
        return false;
    *ret_redirect = (struct redis_redirect){ask, slot, address + 1};
    return true;
}

bool redis_read_address(const char *text, const char *same_host, char **ret_host, int *ret_port)
{
    const char *colon = strrchr(text, ':'), *end;
    int port;

    if (!colon || !read_digits(colon + 1, MAX_PORT, &port, &end) || *end || port == 0)
        return false;
    *ret_host = colon > text ? mem_strndup(text, (size_t)(colon - text)) : mem_strdup(same_host);
    *ret_port = port;
    return *ret_host != NULL;
}
