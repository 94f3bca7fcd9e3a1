/* Every sentinel is asked, because one that was away for a while still names the primary of then: the answer
 * with the newest epoch is tried first, and who it names must say itself that it is a primary. */
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/redis_error.h"
#include "common/redis_nodes.h"
#include "common/rlink_private.h"
#include "common/script.h"

enum { SENTINEL_TIMEOUT_MS = 500 };

struct named {
    char *host;
    int port;
    int64_t epoch;
};

static bool take_answers(const redisReply *all, const redisReply *address, const char *master,
                         struct named *ret_named, struct err *why)
{
    const char *host;
    int port;

    if (redis_read_master(address, &host, &port)) {
        *ret_named = (struct named){mem_strdup(host), port, redis_read_master_epoch(all)};
        if (!ret_named->host)
            err_set_memory(why);
        return ret_named->host;
    }
    if (address->type == REDIS_REPLY_ERROR)
        err_set(why, redis_error_classify(address->str), "%s", address->str);
    else
        err_set(why, ST_CONFIG, "it knows no master \"%s\"", master);
    return false;
}

/* In one piece, so that no failover comes between the two answers. */
static bool ask_sentinel(struct rlink *sentinel, const char *master, struct named *ret_named, struct err *why)
{
    struct buf commands = BUF_NONE;
    redisReply *replies[2];
    bool answered = false;

    resp_put_command(&commands, 3, (const char *const[]){"SENTINEL", "MASTER", master});
    resp_put_command(&commands, 3, (const char *const[]){"SENTINEL", "GET-MASTER-ADDR-BY-NAME", master});
    if (rlink_exchange(sentinel, &commands, 2, replies, why) == 0) {
        answered = take_answers(replies[0], replies[1], master, ret_named, why);
        freeReplyObject(replies[0]);
        freeReplyObject(replies[1]);
    }
    buf_free(&commands);
    if (why->status == ST_REFUSED)
        why->status = ST_CONFIG;
    return answered;
}

static bool ask(const struct redis_url *url, size_t i, struct named *ret_named, struct err *err)
{
    struct redis_url address = {0};
    struct err why = ERR_NONE;
    struct rlink *sentinel = NULL;
    bool answered;
    char *shown;

    if (redis_url_to_sentinel(&address, url, i))
        sentinel = rlink_new(&address, SENTINEL_TIMEOUT_MS);
    if (!sentinel)
        err_set_memory(&why);
    answered = sentinel && ask_sentinel(sentinel, url->master, ret_named, &why);
    shown = redis_url_show(&address);
    err_context(&why, "Sentinel at %s", shown ? shown : "its address");
    err_copy_graver(err, &why);
    free(shown);
    rlink_free(sentinel);
    redis_url_free(&address);
    return answered;
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

    if (!redis_url_to_server(&server, url, named->host, named->port)) {
        err_set_memory(err);
        return -1;
    }
    result = rlink_open_server(rlink, &server, err);
    if (result == 0)
        result = check_role(rlink, err);
    redis_url_free(&server);
    return result;
}

int rlink_open_primary(struct rlink *rlink, const struct redis_url *url, int64_t *ret_epoch, struct err *err)
{
    struct named *named = mem_zalloc(sizeof(*named) * url->naddresses);
    struct err why_not = ERR_NONE;
    size_t count = 0;
    int result = -1;

    if (!named) {
        err_set_memory(err);
        return -1;
    }
    for (size_t i = 0; i < url->naddresses; i++)
        count += ask(url, i, &named[count], &why_not);
    qsort(named, count, sizeof(*named), compare);
    if (count)
        err_clear(&why_not);
    for (size_t i = 0; result != 0 && i < count; i++) {
        result = open_named(rlink, url, &named[i], &why_not);
        *ret_epoch = named[i].epoch;
    }
    if (result != 0)
        err_copy(err, &why_not);
    for (size_t i = 0; i < count; i++)
        free(named[i].host);
    free(named);
    return result;
}

bool rlink_was_replaced(const struct redis_url *url, size_t i, const struct redis_url *server, int64_t epoch)
{
    struct err ignored = ERR_NONE;
    struct named named;
    bool replaced;

    if (!ask(url, i, &named, &ignored))
        return false;
    replaced = named.epoch > epoch && (named.port != server->addresses[0].port ||
                                       strcmp(named.host, server->addresses[0].host) != 0);
    free(named.host);
    return replaced;
}
