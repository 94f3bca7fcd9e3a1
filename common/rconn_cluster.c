#include "common/rconn_cluster.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/redis_nodes.h"

enum { WATCH_MS = 1000, DISAGREEING_MAX = 2 };

/* One of url's addresses, asked who the primaries are. */
struct seed {
    struct cluster *cluster;
    struct redis_url url;
    struct rconn_link *link;
    int64_t epoch; /* -1: it is of no use */
    bool heard;
};

void cluster_went_down(struct cluster *cluster, const struct err *why)
{
    rconn_went_down(cluster->rconn, why->status, why->text);
}

/* ---- nodes ---- */

struct node *cluster_find_node(const struct cluster *cluster, const char *host, int port)
{
    for (size_t i = 0; i < cluster->nnodes; i++)
        if (cluster->nodes[i]->address.port == port && strcmp(cluster->nodes[i]->address.host, host) == 0)
            return cluster->nodes[i];
    return NULL;
}

static bool all_primaries_up(const struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->map->count; i++)
        if (i >= cluster->nnodes || !rconn_link_is_up(cluster->nodes[i]->link))
            return false;
    return true;
}

static void come_up(struct cluster *cluster)
{
    char *shown = redis_url_show(&cluster->url);
    char *identity = mem_printf("%s (%zu primaries)", shown, cluster->map->count);

    rconn_came_up(cluster->rconn, identity);
    free(identity);
    free(shown);
}

static void on_node_up(void *arg)
{
    struct node *node = arg;
    struct cluster *cluster = node->cluster;

    if (rconn_is_up(cluster->rconn))
        cluster_node_is_up(node);
    else if (all_primaries_up(cluster))
        come_up(cluster);
}

static void on_node_down(void *arg, const struct err *why)
{
    struct node *node = arg;

    cluster_went_down(node->cluster, why);
}

struct node *cluster_add_node(struct cluster *cluster, const char *host, int port)
{
    static const struct rconn_handlers handlers = {on_node_up, on_node_down};
    struct node *node = mem_zalloc(sizeof(*node));
    struct redis_url url = {0};

    node->cluster = cluster;
    node->address = (struct redis_address){mem_strdup(host), port};
    node->link = rconn_link_new(rconn_loop(cluster->rconn), ROLE_NODE, &handlers, node);
    redis_url_to_server(&url, &cluster->url, host, port);
    rconn_link_open(node->link, &url);
    redis_url_free(&url);
    cluster->nodes = mem_grow(cluster->nodes, cluster->nnodes, &cluster->capacity, sizeof(*cluster->nodes));
    cluster->nodes[cluster->nnodes++] = node;
    return node;
}

/* ---- looking for the primaries ---- */

static void close_seeds(struct cluster *cluster, const char *why)
{
    for (size_t i = 0; cluster->seeds && i < cluster->url.naddresses; i++) {
        rconn_link_free(cluster->seeds[i].link, why);
        cluster->seeds[i].link = NULL;
    }
}

static void on_enough(void *arg)
{
    struct cluster *cluster = arg;

    close_seeds(cluster, "Redis: others have answered");
    if (!cluster->map) {
        cluster_went_down(cluster, &cluster->round.why_not);
        return;
    }
    for (size_t i = 0; i < cluster->map->count; i++)
        cluster_add_node(cluster, cluster->map->primaries[i].host, cluster->map->primaries[i].port);
    timer_start(cluster->watch, WATCH_MS);
}

static void heard(struct seed *seed, bool useful)
{
    if (seed->heard)
        return;
    seed->heard = true;
    round_heard(&seed->cluster->round, useful);
}

static void fail(struct seed *seed, const struct err *why)
{
    err_copy_graver(&seed->cluster->round.why_not, why);
    heard(seed, false);
}

static void on_seed_down(void *arg, const struct err *why)
{
    fail(arg, why);
}

static void fail_with(struct seed *seed, enum status status, const char *what)
{
    struct err why = ERR_NONE;
    char *shown = redis_url_show(&seed->url);

    err_set(&why, status == ST_REFUSED ? ST_CONFIG : status, "Redis at %s: %s", shown, what);
    free(shown);
    fail(seed, &why);
}

static void on_info(void *arg, const struct rreply *reply, const struct err *err)
{
    struct seed *seed = arg;

    seed->epoch = err ? -1 : redis_read_cluster_epoch(rreply_string(reply, NULL));
    if (err)
        fail_with(seed, err->status, rconn_link_said(err));
    else if (seed->epoch < 0)
        fail_with(seed, ST_AGAIN, "its cluster is down");
}

static void on_slots(void *arg, const struct rreply *reply, const struct err *err)
{
    struct seed *seed = arg;
    struct cluster *cluster = seed->cluster;
    struct slot_map *map = NULL;

    if (err)
        fail_with(seed, err->status, rconn_link_said(err));
    else if (seed->epoch >= 0 && !cluster->round.over)
        map = slot_map_read((const struct redisReply *)reply, seed->url.addresses[0].host);
    if (map && (!cluster->map || seed->epoch > cluster->epoch)) {
        slot_map_free(cluster->map);
        cluster->map = map;
        cluster->epoch = seed->epoch;
        heard(seed, true);
    } else if (map) {
        slot_map_free(map);
        heard(seed, true);
    } else {
        fail_with(seed, ST_AGAIN, "not every slot of its cluster has a primary");
    }
}

static void on_seed_up(void *arg)
{
    struct seed *seed = arg;

    rconn_link_command(seed->link, 2, (const char *const[]){"CLUSTER", "INFO"}, on_info, seed);
    rconn_link_command(seed->link, 2, (const char *const[]){"CLUSTER", "SLOTS"}, on_slots, seed);
}

static void ask_seed(struct cluster *cluster, size_t i)
{
    static const struct rconn_handlers handlers = {on_seed_up, on_seed_down};
    struct seed *seed = &cluster->seeds[i];
    const struct redis_address *address = &cluster->url.addresses[i];

    seed->cluster = cluster;
    redis_url_to_server(&seed->url, &cluster->url, address->host, address->port);
    seed->link = rconn_link_new(rconn_loop(cluster->rconn), ROLE_NODE, &handlers, seed);
    rconn_link_open(seed->link, &seed->url);
}

/* ---- watching who the primaries are ---- */

static void adopt_slots(struct cluster *cluster, struct slot_map *map)
{
    cluster->disagreeing = 0;
    slot_map_free(cluster->map);
    cluster->map = map;
}

/* One node may not have heard yet what another one knows already: a second one is asked before it is
 * believed. */
static void disagree(struct cluster *cluster)
{
    struct err why = {ST_LOST, "Redis Cluster: its primaries are others now"};

    if (++cluster->disagreeing >= DISAGREEING_MAX || cluster->map->count == 1)
        cluster_went_down(cluster, &why);
}

static void on_watched(void *arg, const struct rreply *reply, const struct err *err)
{
    struct node *node = arg;
    struct cluster *cluster = node->cluster;
    struct slot_map *map = err ? NULL : slot_map_read((const struct redisReply *)reply, node->address.host);

    if (!map)
        return;
    if (slot_map_same_primaries(cluster->map, map)) {
        adopt_slots(cluster, map);
    } else {
        slot_map_free(map);
        disagree(cluster);
    }
}

/* Each in its turn, so that one that is stopped hides nothing. */
static void on_watch(void *arg)
{
    struct cluster *cluster = arg;
    const char *const words[] = {"CLUSTER", "SLOTS"};

    for (size_t i = 0; i < cluster->map->count; i++) {
        struct node *node = cluster->nodes[cluster->next_asked++ % cluster->map->count];

        if (!rconn_link_is_up(node->link))
            continue;
        rconn_link_command(node->link, 2, words, on_watched, node);
        break;
    }
    timer_start(cluster->watch, WATCH_MS);
}

/* ---- as an rconn ---- */

static void *cluster_open(struct rconn *rconn, const struct redis_url *url)
{
    struct cluster *cluster = mem_zalloc(sizeof(*cluster));

    cluster->rconn = rconn;
    redis_url_copy(&cluster->url, url);
    cluster->watch = timer_new(rconn_loop(rconn), on_watch, cluster);
    cluster->try_again = timer_new(rconn_loop(rconn), cluster_try_again, cluster);
    cluster->seeds = mem_zalloc(sizeof(*cluster->seeds) * url->naddresses);
    round_init(&cluster->round, rconn_loop(rconn), url->naddresses, on_enough, cluster);
    for (size_t i = 0; i < url->naddresses; i++)
        ask_seed(cluster, i);
    return cluster;
}

static void cluster_close(void *self, const char *why)
{
    struct cluster *cluster = self;

    cluster->round.over = true;
    timer_stop(cluster->round.enough);
    timer_stop(cluster->watch);
    timer_stop(cluster->try_again);
    close_seeds(cluster, why);
    for (size_t i = 0; i < cluster->nnodes; i++)
        rconn_link_free(cluster->nodes[i]->link, why);
}

static void free_nodes(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->nnodes; i++) {
        free(cluster->nodes[i]->address.host);
        free(cluster->nodes[i]);
    }
    free(cluster->nodes);
}

static void cluster_free(void *self)
{
    struct cluster *cluster = self;

    for (size_t i = 0; i < cluster->nnodes; i++)
        cluster_tell_waiting(&cluster->nodes[i]->waiting);
    cluster_tell_waiting(&cluster->again);
    for (size_t i = 0; i < cluster->url.naddresses; i++)
        redis_url_free(&cluster->seeds[i].url);
    free_nodes(cluster);
    slot_map_free(cluster->map);
    timer_free(cluster->watch);
    timer_free(cluster->try_again);
    round_release(&cluster->round);
    redis_url_free(&cluster->url);
    free(cluster->seeds);
    free(cluster);
}

static size_t cluster_primaries(const void *self)
{
    const struct cluster *cluster = self;

    return cluster->map->count;
}

static int cluster_primary_route(const void *self, size_t i)
{
    const struct cluster *cluster = self;

    return slot_map_drawn_slot(cluster->map, i);
}

static size_t cluster_primary_of(const void *self, int route)
{
    const struct cluster *cluster = self;

    return cluster->map->owner[route];
}

const struct rconn_kind rconn_cluster = {
    .open = cluster_open,
    .send = cluster_send,
    .close = cluster_close,
    .free = cluster_free,
    .route = redis_slot,
    .primaries = cluster_primaries,
    .primary_route = cluster_primary_route,
    .primary_of = cluster_primary_of,
    .route_tag = redis_slot_tag,
};
