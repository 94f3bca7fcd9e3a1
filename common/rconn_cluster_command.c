/* A command is kept until it is answered, so that it can be sent on. What a node says that it has not done is
 * done elsewhere, or later; anything else is the answer. */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/rconn_cluster.h"
#include "common/redis_nodes.h"

enum { TRY_AGAIN_MS = 50, MAX_REDIRECTS = 5 };

static const char ASKING[] = "*1\r\n$6\r\nASKING\r\n";

struct command {
    struct command *next;
    struct cluster *cluster;
    int route;
    bool asking;
    int redirects; /* since it last had to wait */
    int64_t deadline_ms;
    rconn_fn *fn;
    void *arg;
    size_t len;
    char words[]; /* in the wire format */
};

static void append(struct commands *list, struct command *command)
{
    command->next = NULL;
    if (list->first)
        list->last->next = command;
    else
        list->first = command;
    list->last = command;
}

static struct command *take_first(struct commands *list)
{
    struct command *command = list->first;

    if (command)
        list->first = command->next;
    return command;
}

/* ---- ends ---- */

static void end(struct command *command, const struct rreply *reply, const struct err *err)
{
    command->fn(command->arg, reply, err);
    free(command);
}

void cluster_tell_waiting(struct commands *list)
{
    static const struct err err = {ST_AGAIN, "Redis Cluster: not done before the connection was lost"};
    struct command *command;

    while ((command = take_first(list)))
        end(command, NULL, &err);
}

/* ---- sending ---- */

static void on_answer(void *arg, const struct rreply *reply, const struct err *err);

static void on_asking(void *arg, const struct rreply *reply, const struct err *err)
{
    (void)arg, (void)reply, (void)err;
}

static void transmit(struct node *node, struct command *command)
{
    if (command->asking)
        rconn_link_send(node->link, ASKING, sizeof(ASKING) - 1, on_asking, NULL);
    rconn_link_send(node->link, command->words, command->len, on_answer, command);
}

static void send_to(struct node *node, struct command *command)
{
    if (rconn_link_is_up(node->link))
        transmit(node, command);
    else
        append(&node->waiting, command);
}

void cluster_node_is_up(struct node *node)
{
    struct command *command;

    while ((command = take_first(&node->waiting)))
        transmit(node, command);
}

static void send_home(struct command *command)
{
    struct cluster *cluster = command->cluster;

    command->asking = false;
    send_to(cluster->nodes[command->route < 0 ? 0 : cluster->map->owner[command->route]], command);
}

void cluster_send(void *self, int route, const char *words, size_t len, rconn_fn *fn, void *arg)
{
    struct command *command = mem_alloc(sizeof(*command) + len);

    *command = (struct command){.cluster = self,
                                .route = route,
                                .deadline_ms = clock_mono_ms() + RCONN_DEADLINE_MS,
                                .fn = fn,
                                .arg = arg,
                                .len = len};
    memcpy(command->words, words, len);
    send_home(command);
}

/* ---- sent on ---- */

static void wait_a_moment(struct command *command)
{
    struct cluster *cluster = command->cluster;

    command->redirects = 0;
    append(&cluster->again, command);
    if (!timer_active(cluster->try_again))
        timer_start(cluster->try_again, TRY_AGAIN_MS);
}

void cluster_try_again(void *arg)
{
    struct cluster *cluster = arg;
    struct command *command;

    while ((command = take_first(&cluster->again)))
        send_home(command);
}

static void end_at_new_primary(struct command *command, const char *address)
{
    struct cluster *cluster = command->cluster;
    struct err why = ERR_NONE;

    err_set(&why, ST_LOST, "Redis Cluster: %s is a primary now", address);
    end(command, NULL, &why);
    cluster_went_down(cluster, &why);
}

/* A primary whose last slot has been moved away is none any more. */
static void note_owner(struct cluster *cluster, int slot, int owner)
{
    static const struct err why = {ST_LOST, "Redis Cluster: a primary has no slots any more"};
    uint16_t before = cluster->map->owner[slot];

    cluster->map->owner[slot] = (uint16_t)owner;
    if (slot_map_drawn_slot(cluster->map, before) < 0)
        cluster_went_down(cluster, &why);
}

static void follow_to(struct command *command, const struct redis_redirect *redirect, const char *host,
                      int port)
{
    struct cluster *cluster = command->cluster;
    struct node *node = cluster_find_node(cluster, host, port);
    int owner = slot_map_find(cluster->map, host, port);

    if (!redirect->ask && owner < 0) {
        end_at_new_primary(command, redirect->address);
        return;
    }
    if (!redirect->ask)
        note_owner(cluster, redirect->slot, owner);
    command->asking = redirect->ask;
    if (++command->redirects > MAX_REDIRECTS)
        wait_a_moment(command); /* they do not agree yet */
    else
        send_to(node ? node : cluster_add_node(cluster, host, port), command);
}

static const char *host_of(const struct command *command)
{
    const struct cluster *cluster = command->cluster;

    return cluster->map->primaries[command->route < 0 ? 0 : cluster->map->owner[command->route]].host;
}

static bool follow(struct command *command, const char *error)
{
    struct redis_redirect redirect;
    char *host;
    int port;

    if (!redis_read_redirect(error, &redirect) ||
        !redis_read_address(redirect.address, host_of(command), &host, &port))
        return false;
    follow_to(command, &redirect, host, port);
    free(host);
    return true;
}

static void on_answer(void *arg, const struct rreply *reply, const struct err *err)
{
    struct command *command = arg;
    const char *error = err ? rconn_link_said(err) : "";

    if (!rconn_is_up(command->cluster->rconn) || clock_mono_ms() > command->deadline_ms)
        end(command, reply, err);
    else if (strncmp(error, "TRYAGAIN", 8) == 0)
        wait_a_moment(command);
    else if (!follow(command, error))
        end(command, reply, err);
}
