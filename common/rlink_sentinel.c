/* Every sentinel is asked, because one that was away for a while still names the primary of then: the answer
 * with the newest epoch is tried first, and who it names must say itself that it is a primary. */
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/redis_nodes.h"
#include "common/rlink_private.h"

enum { SENTINEL_TIMEOUT_MS = 500 };

struct named {
    char *host;
    int port;
    int64_t epoch;
};

/* The first reason stays, but what an operator must mend is told rather than that somebody is down. */
static void note(struct err *err, const struct err *why)
{
    if (why->status == ST_CONFIG && err->status != ST_CONFIG)
        err_clear(err);
    err_copy(err, why);
}

static void take_answer(const redisReply *reply, struct named *ret_named, struct err *why)
{
    struct redis_master master;

    if (redis_read_master(reply, &master))
        *ret_named = (struct named){mem_strdup(master.host), master.port, master.epoch};
    else
        err_set(why, ST_CONFIG, "an odd answer: is it a sentinel?");
}

static bool ask(const struct redis_url *url, size_t i, struct named *ret_named, struct err *err)
{
    const char *const words[] = {"SENTINEL", "MASTER", url->master};
    struct redis_url address = {0};
    struct err why = ERR_NONE;
    struct rlink *sentinel;
    redisReply *reply;
    char *shown;

    redis_url_to_sentinel(&address, url, i);
    sentinel = rlink_new(&address, SENTINEL_TIMEOUT_MS);
    reply = rlink_run(sentinel, 3, words, &why);
    if (reply)
        take_answer(reply, ret_named, &why);
    else if (why.status == ST_LOST)
        why.status = ST_AGAIN; /* nothing of the caller's was sent */
    else if (why.status == ST_REFUSED)
        why.status = ST_CONFIG;
    shown = redis_url_show(&address);
    err_context(&why, "Sentinel at %s", shown);
    note(err, &why);
    free(shown);
    freeReplyObject(reply);
    rlink_free(sentinel);
    redis_url_free(&address);
    return why.status == ST_OK;
}

/* The newest first. */
static int compare(const void *a, const void *b)
{
    const struct named *left = a, *right = b;

    return (left->epoch < right->epoch) - (left->epoch > right->epoch);
}

static int check_role(struct rlink *rlink, struct err *err)
{
    redisReply *reply = rlink_run(rlink, 1, (const char *const[]){"ROLE"}, err);
    bool primary = reply && redis_is_primary(reply);

    freeReplyObject(reply);
    if (primary)
        return 0;
    err_set(err, ST_AGAIN, "the Redis that Sentinel names is a replica, not a primary");
    rlink_close(rlink);
    return -1;
}

static int open_named(struct rlink *rlink, const struct redis_url *url, const struct named *named,
                      struct err *err)
{
    struct redis_url server = {0};
    int result;

    redis_url_to_server(&server, url, named->host, named->port);
    result = rlink_open_server(rlink, &server, err);
    if (result == 0)
        result = check_role(rlink, err);
    redis_url_free(&server);
    return result;
}

int rlink_open_primary(struct rlink *rlink, const struct redis_url *url, struct err *err)
{
    struct named *named = mem_zalloc(sizeof(*named) * url->naddresses);
    struct err why_not = ERR_NONE;
    size_t count = 0;
    int result = -1;

    for (size_t i = 0; i < url->naddresses; i++)
        count += ask(url, i, &named[count], &why_not);
    qsort(named, count, sizeof(*named), compare);
    if (count)
        err_clear(&why_not);
    for (size_t i = 0; result != 0 && i < count; i++)
        result = open_named(rlink, url, &named[i], &why_not);
    if (result != 0)
        err_copy(err, &why_not);
    for (size_t i = 0; i < count; i++)
        free(named[i].host);
    free(named);
    return result;
}
