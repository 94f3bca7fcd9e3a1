/* What Redis tells: each primary, whose data it holds, and the queues. See verb_status.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/beside.h"
#include "cdc/verb_status.h"
#include "common/mem.h"

enum { QUEUE_TIMEOUT_MS = 2000 };

/* ---- INFO ---- */

/* The value of a line "name:value"; NULL: there is none. The caller frees. */
static char *info_text(const char *info, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = info; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) == 0 && line[len] == ':')
            return mem_printf("%.*s", (int)strcspn(line + len + 1, "\r\n"), line + len + 1);
    }
    return NULL;
}

static long long info_integer(const char *info, const char *name)
{
    char *text = info_text(info, name);
    long long value = text ? atoll(text) : 0;

    free(text);
    return value;
}

static json_t *info_string(const char *info, const char *name)
{
    char *text = info_text(info, name);
    json_t *value = text ? json_string(text) : NULL;

    free(text);
    return value ? value : json_null();
}

static bool info_is(const char *info, const char *name, const char *value)
{
    char *text = info_text(info, name);
    bool is = text && strcmp(text, value) == 0;

    free(text);
    return is;
}

/* slave0:ip=10.0.0.2,port=6379,state=online,offset=123,lag=1 */
static json_t *replica(const char *line, long long primary_offset)
{
    char host[256], state[32];
    long long port, offset, lag = -1;

    if (sscanf(line, "ip=%255[^,],port=%lld,state=%31[^,],offset=%lld,lag=%lld", host, &port, state, &offset,
               &lag) < 4)
        return NULL;
    return json_pack("{s:o, s:s, s:I, s:o}", "address", json_sprintf("%s:%lld", host, port), "state", state,
                     "behind_bytes", (json_int_t)(primary_offset - offset), "lag_seconds",
                     lag < 0 ? json_null() : json_integer(lag));
}

static json_t *replicas(const char *info)
{
    long long count = info_integer(info, "connected_slaves");
    json_t *list = json_array();

    for (long long i = 0; i < count; i++) {
        char *name = mem_printf("slave%lld", i), *line = info_text(info, name);
        json_t *one = line ? replica(line, info_integer(info, "master_repl_offset")) : NULL;

        if (one)
            json_array_append_new(list, one);
        free(line);
        free(name);
    }
    return list;
}

static json_t *persistence(const char *info)
{
    bool aof = info_is(info, "aof_enabled", "1");

    return json_pack("{s:b, s:b, s:b, s:I, s:b}", "aof", aof, "aof_ok",
                     !aof || info_is(info, "aof_last_write_status", "ok"), "rdb_ok",
                     info_is(info, "rdb_last_bgsave_status", "ok"), "rdb_changes_since_save",
                     (json_int_t)info_integer(info, "rdb_changes_since_last_save"), "loading",
                     info_is(info, "loading", "1"));
}

static json_t *primary(const char *address, const char *info)
{
    json_t *version = info_string(info, "valkey_version");

    if (json_is_null(version)) {
        json_decref(version);
        version = info_string(info, "redis_version");
    }
    return json_pack("{s:s, s:o, s:o, s:I, s:I, s:I, s:o, s:I, s:o, s:o}", "address", address, "role",
                     info_string(info, "role"), "version", version, "up_seconds",
                     (json_int_t)info_integer(info, "uptime_in_seconds"), "used_memory",
                     (json_int_t)info_integer(info, "used_memory"), "max_memory",
                     (json_int_t)info_integer(info, "maxmemory"), "policy",
                     info_string(info, "maxmemory_policy"), "evicted",
                     (json_int_t)info_integer(info, "evicted_keys"), "replicas", replicas(info),
                     "persistence", persistence(info));
}

/* ---- the primaries ---- */

static struct rreply *ask(struct rconn *rconn, size_t i, int argc, const char *const *argv, struct err *err)
{
    return rconn_run(rconn, rconn_primary_route(rconn, i), argc, argv, err);
}

/* Of a node of a cluster: what it says of itself, "<id> 10.0.0.1:6379@16379 myself,master …". The caller
 * frees. */
static char *node_address(struct rconn *rconn, size_t i)
{
    struct err ignored = ERR_NONE;
    struct rreply *reply = ask(rconn, i, 2, (const char *const[]){"CLUSTER", "NODES"}, &ignored);
    const char *nodes = reply ? rreply_string(reply, NULL) : "";
    const char *myself = strstr(nodes, "myself");
    char *address = NULL;

    while (myself && myself > nodes && myself[-1] != '\n')
        myself--;
    if (myself && strchr(myself, ' ')) {
        const char *begin = strchr(myself, ' ') + 1;

        address = mem_printf("%.*s", (int)strcspn(begin, "@, "), begin);
    }
    rreply_free(reply);
    return address;
}

static char *address_of(const struct sight *sight, size_t i)
{
    struct rconn *rconn = sight->redis->rconn;
    char *address = sight->config->redis.kind == REDIS_CLUSTER ? node_address(rconn, i) : NULL;

    return address ? address : mem_strdup(rconn_identity(rconn));
}

static int look_at_primary(struct sight *sight, size_t i, json_t *primaries, struct err *err)
{
    struct rreply *reply = ask(sight->redis->rconn, i, 1, (const char *const[]){"INFO"}, err);
    char *address;

    if (!reply)
        return -1;
    address = address_of(sight, i);
    json_array_append_new(primaries, primary(address, rreply_string(reply, NULL)));
    free(address);
    rreply_free(reply);
    return 0;
}

/* Whose data it is. */
static int look_at_record(struct sight *sight, json_t *redis, struct err *err)
{
    struct beside beside = {0};

    if (beside_read(sight->redis, &beside, err) != 0)
        return -1;
    json_object_set_new(redis, "dataset", beside.dataset ? json_string(beside.dataset) : json_null());
    json_object_set_new(redis, "epoch", beside.dataset ? json_integer(beside.epoch) : json_null());
    free(beside.dataset);
    return 0;
}

int sight_redis(struct sight *sight, json_t *status, struct err *err)
{
    static const char *const kinds[] = {
        [REDIS_SINGLE] = "single", [REDIS_SENTINEL] = "sentinel", [REDIS_CLUSTER] = "cluster"};
    struct rconn *rconn = sight->redis->rconn;
    json_t *primaries = json_array();
    json_t *redis = json_pack("{s:s, s:s, s:s, s:o}", "kind", kinds[sight->config->redis.kind], "identity",
                              rconn_identity(rconn), "fleet", sight->config->fleet, "primaries", primaries);

    json_object_set_new(status, "redis", redis);
    for (size_t i = 0; i < rconn_primaries(rconn); i++)
        if (look_at_primary(sight, i, primaries, err) != 0)
            return -1;
    return look_at_record(sight, redis, err);
}

/* ---- queues ---- */

static json_t *ms_or_null(int64_t ms)
{
    return ms < 0 ? json_null() : json_integer(ms);
}

static json_t *queue_json(const char *name, const struct pgusher_queue_stats *stats)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:b, s:I, s:I, s:I, s:I}", "queue", name, "waiting",
                     (json_int_t)stats->waiting, "later", (json_int_t)stats->later, "in_flight",
                     (json_int_t)(stats->in_flight + stats->plain), "delayed", (json_int_t)stats->delayed,
                     "dead", (json_int_t)stats->dead, "oldest_waiting_ms",
                     ms_or_null(stats->oldest_waiting_ms), "paused", stats->paused, "consumers",
                     (json_int_t)stats->nconsumers, "queued", (json_int_t)stats->queued, "acked",
                     (json_int_t)stats->acked, "failed", (json_int_t)stats->failed);
}

static struct pgusher_queue *open_queue(const struct config *config, const char *name, struct err *err)
{
    struct pgusher_queue_options options = {.redis = config->redis_text,
                                            .password = config->redis.password,
                                            .queue = name,
                                            .timeout_ms = QUEUE_TIMEOUT_MS};
    char error[256];
    struct pgusher_queue *queue = pgusher_queue_new(&options, error, sizeof(error));

    if (!queue)
        err_set(err, ST_CONFIG, "queue %s: %s", name, error);
    return queue;
}

static enum status status_of(const struct pgusher_queue *queue)
{
    static const enum status known[] = {
        [PGUSHER_QUEUE_OK] = ST_OK,         [PGUSHER_QUEUE_AGAIN] = ST_AGAIN,
        [PGUSHER_QUEUE_LOST] = ST_LOST,     [PGUSHER_QUEUE_REFUSED] = ST_REFUSED,
        [PGUSHER_QUEUE_CONFIG] = ST_CONFIG,
    };

    return known[pgusher_queue_status(queue)];
}

static void look_at_queue(struct sight *sight, size_t i, json_t *queues, struct err *err)
{
    const char *name = sight->config->queues[i].name;
    struct pgusher_queue_stats stats;

    if (!sight->queues[i])
        sight->queues[i] = open_queue(sight->config, name, err);
    if (!sight->queues[i])
        return;
    if (pgusher_queue_stats(sight->queues[i], &stats) < 0) {
        if (err->status == ST_OK)
            err_set(err, status_of(sight->queues[i]), "queue %s: %s", name,
                    pgusher_queue_error(sight->queues[i]));
        return;
    }
    json_array_append_new(queues, queue_json(name, &stats));
    pgusher_queue_stats_free(&stats);
}

int sight_queues(struct sight *sight, json_t *status, struct err *err)
{
    if (!sight->queues)
        sight->queues = mem_zalloc(sizeof(struct pgusher_queue *) * (sight->config->nqueues + 1));
    for (size_t i = 0; i < sight->config->nqueues; i++)
        look_at_queue(sight, i, json_object_get(status, "queues"), err);
    return err->status == ST_OK ? 0 : -1;
}
