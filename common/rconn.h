/* The Redis: one server, the primary that Sentinel names, or the primaries of a Redis Cluster; nobody else
 * needs to know which. Commands are asynchronous and pipelined.
 *
 * It does not reconnect: when it goes down it says why, once, and its owner opens it again. It goes down as a
 * whole, as soon as one server behind it is lost, or stops being the primary, or another one becomes one:
 * then what was acknowledged last may be gone, and the owner has to find out where the data stands.
 *
 * Every command's callback is called exactly once; an error with ST_LOST means the outcome is unknown. A
 * reply is valid only during the callback. An error *inside* an array is left to the reader of that array.
 *
 * Replies of commands with the same route come in order, except in a cluster while its slots are moved: a
 * command that was sent elsewhere comes later.
 */
#ifndef PGUSHER_RCONN_H
#define PGUSHER_RCONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/loop.h"
#include "common/redis_url.h"
#include "common/status.h"

/* A server that answers nothing for so long, while something is asked of it, is lost. */
enum { RCONN_DEADLINE_MS = 10000 };

enum { RCONN_ANY = -1 }; /* as a route: any primary will do */

struct rconn;
struct rreply;

struct rconn_handlers {
    void (*up)(void *arg);
    void (*down)(void *arg, const struct err *why);
};

typedef void rconn_fn(void *arg, const struct rreply *reply, const struct err *err);

struct rconn *rconn_new(struct loop *loop, const struct rconn_handlers *handlers, void *arg);
/* Outstanding commands are told ST_LOST from the loop, before the memory goes. NULL-safe. */
void rconn_free(struct rconn *rconn);

/* Finds the primaries, connects, authenticates, selects the database; `up` follows, or `down`: if there is no
 * primary to be found, after having looked for a few seconds. The URL is copied. Host names are resolved by a
 * blocking call with hiredis before 1.0. */
void rconn_open(struct rconn *rconn, const struct redis_url *url);
bool rconn_is_up(const struct rconn *rconn);
void rconn_drop(struct rconn *rconn, enum status status, const char *why);
/* What is behind it, without credentials: "redis://127.0.0.1:6379 by redis+sentinel://…/mymaster". */
const char *rconn_identity(const struct rconn *rconn);

/* Which way a key goes. Keys of equal routes may stand in one command. */
int rconn_route(const struct rconn *rconn, const char *key, size_t len);
/* The servers that hold the keys, each a share; and a route that leads to the i-th, the same for all
 * programs; it is another one when the slot of it was moved. After it went down, RCONN_ANY. */
size_t rconn_primaries(const struct rconn *rconn);
int rconn_primary_route(const struct rconn *rconn, size_t i);
/* Which of them a route leads to now: a slot may move. The first for RCONN_ANY, and unless it is up. */
size_t rconn_primary_of(const struct rconn *rconn, int route);
/* Text that between braces in a key's name gives the key this route; NULL when keys need none. */
const char *rconn_route_tag(const struct rconn *rconn, int route);

/* lens NULL: the words end with NUL. */
void rconn_send(struct rconn *rconn, int route, int argc, const char *const *argv, const size_t *lens,
                rconn_fn *fn, void *arg);
/* A command already in the wire format; copied. */
void rconn_send_raw(struct rconn *rconn, int route, const char *command, size_t len, rconn_fn *fn, void *arg);

/* Waits in the loop for one answer to a command of NUL-terminated words; not from inside a callback. The copy
 * of the reply is freed with rreply_free. NULL with err set on failure. */
struct loop *rconn_loop(const struct rconn *rconn);
struct rreply *rconn_run(struct rconn *rconn, int route, int argc, const char *const *argv, struct err *err);
struct rreply *rconn_run_raw(struct rconn *rconn, int route, const char *command, size_t len,
                             struct err *err);
void rreply_free(struct rreply *reply);

enum rreply_type { RREPLY_NIL, RREPLY_INTEGER, RREPLY_STRING, RREPLY_ARRAY, RREPLY_ERROR };

enum rreply_type rreply_type(const struct rreply *reply);
int64_t rreply_integer(const struct rreply *reply);
/* Strings, statuses and error texts; "" for others. */
const char *rreply_string(const struct rreply *reply, size_t *ret_len);
size_t rreply_count(const struct rreply *reply);
const struct rreply *rreply_at(const struct rreply *reply, size_t index); /* nil where there is none */

#endif
