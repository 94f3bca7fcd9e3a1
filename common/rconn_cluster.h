/* The parts of a cluster behind an rconn, see rconn_kind.h: rconn_cluster.c finds the primaries and watches
 * who they are, rconn_cluster_command.c sends commands to them and wherever these are sent on.
 *
 * Who the primaries are does not change while the rconn is up: another one, for whatever reason, takes it
 * down. Which slots they have does. */
#ifndef PGUSHER_RCONN_CLUSTER_H
#define PGUSHER_RCONN_CLUSTER_H

#include "common/rconn_kind.h"
#include "common/rconn_round.h"
#include "common/redis_slot_map.h"

struct command;

/* In the order in which they came. */
struct commands {
    struct command *first;
    struct command *last;
};

struct node {
    struct cluster *cluster;
    struct redis_address address;
    struct rconn_link *link;
    struct commands waiting; /* for the link to come up */
};

struct cluster {
    struct rconn *rconn;
    struct redis_url url;
    struct seed *seeds;   /* only while looking for the primaries */
    struct round round;   /* of the seeds */
    struct slot_map *map; /* the best while looking */
    int64_t epoch;        /* of map */
    /* The primaries as in map; behind them others to which slots are just being moved. */
    struct node **nodes;
    size_t nnodes;
    size_t capacity;
    struct timer *watch;
    size_t next_asked;     /* node */
    int disagreeing;       /* answers in a row that name other primaries */
    struct commands again; /* told TRYAGAIN */
    struct timer *try_again;
};

struct node *cluster_add_node(struct cluster *cluster, const char *host, int port);
/* NULL: unknown. */
struct node *cluster_find_node(const struct cluster *cluster, const char *host, int port);
void cluster_went_down(struct cluster *cluster, const struct err *why);

/* Takes `fn` until it has been called. */
void cluster_send(void *self, int route, const char *command, size_t len, rconn_fn *fn, void *arg);
void cluster_node_is_up(struct node *node);
void cluster_try_again(void *arg);
/* Tells all in `list` that they were not done, and frees them. */
void cluster_tell_waiting(struct commands *list);

#endif
