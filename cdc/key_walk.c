#include "cdc/key_walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

struct key_walk {
    struct rconn *rconn;
    char *pattern;
    size_t primary;
    char *position; /* of SCAN */
};

struct key_walk *key_walk_new(struct rconn *rconn, const char *pattern)
{
    struct key_walk *walk = mem_zalloc(sizeof(*walk));

    walk->rconn = rconn;
    walk->pattern = mem_strdup(pattern);
    walk->position = mem_strdup("0");
    return walk;
}

void key_walk_free(struct key_walk *walk)
{
    if (!walk)
        return;
    free(walk->pattern);
    free(walk->position);
    free(walk);
}

static void tell(const struct rreply *found, key_walk_fn *fn, void *arg)
{
    for (size_t i = 0; i < rreply_count(found); i++) {
        size_t len;
        const char *key = rreply_string(rreply_at(found, i), &len);

        fn(arg, key, len);
    }
}

static bool is_at_end(struct key_walk *walk)
{
    if (strcmp(walk->position, "0") != 0)
        return false;
    walk->primary++;
    return walk->primary >= rconn_primaries(walk->rconn);
}

int key_walk_step(struct key_walk *walk, int limit, key_walk_fn *fn, void *arg, bool *ret_done,
                  struct err *err)
{
    char count[16];
    const char *const words[] = {"SCAN", walk->position, "MATCH", walk->pattern, "COUNT", count};
    struct rreply *reply;
    int result = -1;

    snprintf(count, sizeof(count), "%d", limit);
    reply = rconn_run(walk->rconn, rconn_primary_route(walk->rconn, walk->primary), 6, words, err);
    if (reply && rreply_count(reply) == 2) {
        mem_replace(&walk->position, rreply_string(rreply_at(reply, 0), NULL));
        tell(rreply_at(reply, 1), fn, arg);
        *ret_done = is_at_end(walk);
        result = 0;
    } else {
        err_set(err, ST_LOST, "Redis: the reply to SCAN is malformed");
    }
    rreply_free(reply);
    return result;
}

/* ---- at random ---- */

struct lottery {
    key_walk_fn *fn;
    void *arg;
    size_t waiting;
    bool idle;
    struct err err;
};

static void on_key(void *arg, const struct rreply *reply, const struct err *err)
{
    struct lottery *lottery = arg;
    size_t len = 0;
    const char *key = reply ? rreply_string(reply, &len) : "";

    if (err)
        err_copy(&lottery->err, err);
    else if (len)
        lottery->fn(lottery->arg, key, len);
    lottery->waiting--;
    lottery->idle = lottery->waiting == 0;
}

int key_walk_random(struct rconn *rconn, size_t count, key_walk_fn *fn, void *arg, struct err *err)
{
    static const char *const words[] = {"RANDOMKEY"};
    static const size_t lens[] = {sizeof("RANDOMKEY") - 1};
    struct lottery lottery = {.fn = fn, .arg = arg, .waiting = count, .idle = count == 0, .err = ERR_NONE};

    for (size_t i = 0; i < count; i++)
        rconn_send(rconn, rconn_primary_route(rconn, i % rconn_primaries(rconn)), 1, words, lens, on_key,
                   &lottery);
    loop_run_until(rconn_loop(rconn), &lottery.idle);
    err_copy(err, &lottery.err);
    return lottery.err.status == ST_OK ? 0 : -1;
}
