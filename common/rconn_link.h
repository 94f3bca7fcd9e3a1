/* One asynchronous connection to one server: what an rconn is made of. Commands are pipelined, replies come
 * in order.
 *
 * It does not reconnect: when it goes down it says why, once. Every command's callback is called exactly
 * once; an error with ST_LOST means the outcome is unknown.
 *
 * An answer that says that this server is of no use now (READONLY, MASTERDOWN, LOADING, CLUSTERDOWN) is given
 * to its command and then takes the connection down.
 *
 * Deadline: if commands are outstanding and no reply arrives for RCONN_DEADLINE_MS, the connection is
 * dropped, never reused. The deadline is ours because hiredis before 1.0 has none for asynchronous
 * connections.
 */
#ifndef PGUSHER_RCONN_LINK_H
#define PGUSHER_RCONN_LINK_H

#include "common/rconn.h"

/* Whom we expect there, and greet accordingly. */
enum rconn_role {
    ROLE_SERVER,   /* a Redis that stands alone */
    ROLE_PRIMARY,  /* a Redis that says itself that it is a primary */
    ROLE_NODE,     /* of a cluster: it may send us elsewhere */
    ROLE_SENTINEL, /* keeps no data */
};

struct rconn_link;

struct rconn_link *rconn_link_new(struct loop *loop, enum rconn_role role,
                                  const struct rconn_handlers *handlers, void *arg);
/* Outstanding commands are told the reason from the loop, before the memory goes; `down` is not called any
 * more. NULL-safe. */
void rconn_link_free(struct rconn_link *link, const char *why);
/* Connects to url's first address (or socket), authenticates, selects the database; `up` follows, or
 * `down`. Once `down` was called it may be opened again. */
void rconn_link_open(struct rconn_link *link, const struct redis_url *url);
bool rconn_link_is_up(const struct rconn_link *link);

void rconn_link_send(struct rconn_link *link, const char *command, size_t len, rconn_fn *fn, void *arg);
/* Tells fn from the loop that there is no connection, and why it went down if there was one. */
void rconn_refuse(struct loop *loop, const struct err *why_down, rconn_fn *fn, void *arg);
/* A command of NUL-terminated words. */
void rconn_link_command(struct rconn_link *link, int argc, const char *const *argv, rconn_fn *fn, void *arg);
/* An error without the word that says that it came from Redis. */
const char *rconn_link_said(const struct err *err);
/* No other command may follow. fn is called with the text of each message until the connection goes down. */
typedef void rconn_message_fn(void *arg, const char *text);
void rconn_link_subscribe(struct rconn_link *link, const char *channel, rconn_message_fn *fn, void *arg);

#endif
