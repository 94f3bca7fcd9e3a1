/* One round of questions to Redis. See look_redis.h. */
#include "cdc/look_redis.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

static void ask(struct look_round *round, int route, int argc, const char *const *argv, rconn_fn *fn,
                void *arg)
{
    round->pending++;
    rconn_send(round->rconn, route, argc, argv, NULL, fn, arg);
}

/* ---- its life ---- */

static void release(struct look_round *round)
{
    for (size_t i = 0; i < round->nprimaries; i++) {
        free(round->primaries[i].address);
        json_decref(round->primaries[i].json);
    }
    for (struct look_queue *queue = round->queues; queue->name; queue++) {
        queue_keys_free(&queue->keys);
        json_decref(queue->json);
    }
    free(round->first.beside.dataset);
    free(round->all.beside.dataset);
    free(round->primaries);
    free(round->queues);
    free(round);
}

void look_round_end(struct look_round *round)
{
    if (!round)
        return;
    round->config = NULL;
    if (round->pending == 0)
        release(round);
}

void look_round_heard(struct look_round *round, const struct err *err)
{
    if (err)
        err_copy(&round->err, err);
    if (--round->pending > 0)
        return;
    if (round->config)
        round->over(round->arg);
    else
        release(round);
}

/* ---- the primaries ---- */

static void on_info(void *arg, const struct rreply *reply, const struct err *err)
{
    struct look_primary *primary = arg;
    const char *address = primary->address ? primary->address : rconn_identity(primary->round->rconn);

    if (!err && primary->round->config)
        primary->json = look_primary_json(address, rreply_string(reply, NULL));
    look_round_heard(primary->round, err);
}

/* Comes before INFO, which was asked of the same one. */
static void on_nodes(void *arg, const struct rreply *reply, const struct err *err)
{
    struct look_primary *primary = arg;

    if (!err)
        primary->address = look_primary_address(rreply_string(reply, NULL));
    look_round_heard(primary->round, NULL);
}

static void ask_primary(struct look_round *round, size_t i)
{
    int route = rconn_primary_route(round->rconn, i);

    round->primaries[i].round = round;
    if (round->config->redis.kind == REDIS_CLUSTER)
        ask(round, route, 2, (const char *const[]){"CLUSTER", "NODES"}, on_nodes, &round->primaries[i]);
    ask(round, route, 1, (const char *const[]){"INFO"}, on_info, &round->primaries[i]);
}

/* ---- whose data it is, as beside_read finds out ---- */

static void on_named_record(void *arg, const struct rreply *reply, const struct err *err)
{
    struct look_round *round = arg;

    if (!err)
        reading_take(&round->all, reply);
    look_round_heard(round, err);
}

static void ask_record(struct look_round *round, int route, rconn_fn *fn)
{
    char *key = beside_key(round->rconn, round->config->fleet, route);
    const char *words[READING_WORDS];

    reading_words(words, key);
    ask(round, route, READING_WORDS, words, fn, round);
    free(key);
}

static void on_likely_record(void *arg, const struct rreply *reply, const struct err *err)
{
    struct look_round *round = arg;

    if (!err)
        reading_take(&round->first, reply);
    if (--round->records_pending == 0 && round->config)
        for (size_t i = 0; i < round->first.named.count; i++)
            ask_record(round, round->first.named.routes[i], on_named_record);
    look_round_heard(round, err);
}

/* ---- all of it ---- */

static void ask_queues(struct look_round *round)
{
    const struct config *config = round->config;

    round->queues = mem_zalloc(sizeof(*round->queues) * (config->nqueues + 1));
    for (size_t i = 0; i < config->nqueues; i++) {
        round->queues[i].round = round;
        round->queues[i].name = config->queues[i].name;
        queue_keys_init(&round->queues[i].keys, config->queues[i].name);
        look_queue_ask(&round->queues[i]);
    }
}

struct look_round *look_round_begin(struct rconn *rconn, const struct config *config, bool details,
                                    loop_fn *over, void *arg)
{
    struct look_round *round = mem_zalloc(sizeof(*round));

    round->rconn = rconn;
    round->config = config;
    round->details = details;
    round->over = over;
    round->arg = arg;
    round->first.beside.epoch = round->all.beside.epoch = -1;
    round->records_pending = round->nprimaries = rconn_primaries(rconn);
    round->primaries = mem_zalloc(sizeof(*round->primaries) * (round->nprimaries + 1));
    for (size_t i = 0; i < round->nprimaries; i++) {
        ask_primary(round, i);
        ask_record(round, rconn_primary_route(rconn, i), on_likely_record);
    }
    ask_queues(round);
    return round;
}

static void tell_record(const struct look_round *round, json_t *redis)
{
    bool known = round->pending == 0 && reading_is_whole(&round->first, &round->all);

    json_object_set_new(redis, "dataset", known ? json_string(round->all.beside.dataset) : json_null());
    json_object_set_new(redis, "epoch", known ? json_integer(round->all.beside.epoch) : json_null());
}

void look_round_tell(const struct look_round *round, json_t *status)
{
    static const char *const kinds[] = {
        [REDIS_SINGLE] = "single", [REDIS_SENTINEL] = "sentinel", [REDIS_CLUSTER] = "cluster"};
    json_t *primaries = json_array(), *queues = json_object_get(status, "queues");
    json_t *redis =
        json_pack("{s:s, s:s, s:s, s:o}", "kind", kinds[round->config->redis.kind], "identity",
                  rconn_identity(round->rconn), "fleet", round->config->fleet, "primaries", primaries);

    for (size_t i = 0; i < round->nprimaries; i++)
        if (round->primaries[i].json)
            json_array_append(primaries, round->primaries[i].json);
    tell_record(round, redis);
    json_object_set_new(status, "redis", redis);
    for (const struct look_queue *queue = round->queues; queue->name; queue++)
        if (queue->json)
            json_array_append(queues, queue->json);
}
