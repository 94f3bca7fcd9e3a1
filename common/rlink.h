/* One blocking Redis connection, for programs and libraries that wait for each answer: to the server of the
 * URL, to the primary that its sentinels name, which is looked for again at each connecting, or to a node of
 * its cluster.
 *
 * It connects when it is first needed and again after it failed. A server may be silent for the timeout, and
 * take ten times as long for one reply, whatever signals come; a connection whose answers are not complete is
 * closed, never reused. MOVED is left to the caller, who may ask for the node it names. Errors: ST_AGAIN
 * nothing was sent; ST_LOST it may have been done; ST_CONFIG password, privileges, database.
 */
#ifndef PGUSHER_RLINK_H
#define PGUSHER_RLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hiredis/hiredis.h>

#include "common/buf.h"
#include "common/redis_url.h"
#include "common/status.h"

struct rlink;

/* Copies the URL; does not connect. NULL when memory is out (mem.h). */
struct rlink *rlink_new(const struct redis_url *url, int timeout_ms);
void rlink_free(struct rlink *rlink);                 /* NULL-safe */
int rlink_open(struct rlink *rlink, struct err *err); /* unless it is open */
void rlink_close(struct rlink *rlink);
bool rlink_is_open(const struct rlink *rlink);
int rlink_fd(const struct rlink *rlink); /* -1 while closed */
/* Over TCP: what is not delivered within `ms` never is, though the process may have died meanwhile. While
 * open. */
void rlink_limit_delay(const struct rlink *rlink, int64_t ms);
/* From now on talks to this address, with the same credentials: "host:port" as MOVED names it. An empty host
 * is the one in use. False, and nothing changes: it cannot be read, or memory is out. */
bool rlink_redirect(struct rlink *rlink, const char *address);
/* The same if this is the error MOVED. */
bool rlink_follow(struct rlink *rlink, const char *error);

/* Unless it is open, it will be opened where the other one, of the same URL, is open; for there may just be
 * two who say they are the primary. */
void rlink_stay_with(struct rlink *rlink, const struct rlink *other);
/* Whether both are open, and at the same server. */
bool rlink_is_with(const struct rlink *rlink, const struct rlink *other);

/* To be called before a command is sent. A primary that was stopped, or cut off, calls itself one for seconds
 * when it is back, though another took over: the connection to it is closed as soon as a sentinel, asked once
 * a second, says so. While none answers, it is used on. */
void rlink_leave_former_primary(struct rlink *rlink);

/* Sends `count` commands in the wire format as one pipeline (ST_AGAIN if the buffer failed) and reads as many
 * replies into ret_replies; the caller frees each with freeReplyObject. An error reply is a reply. 0; or -1,
 * and then there are no replies.
 */
int rlink_exchange(struct rlink *rlink, const struct buf *commands, size_t count, redisReply **ret_replies,
                   struct err *err);
/* One command of NUL-terminated words. NULL with err when it failed or Redis answered with an error. */
redisReply *rlink_run(struct rlink *rlink, int argc, const char *const *argv, struct err *err);

/* In two steps: the answer of a command that blocks in Redis is read when rlink_fd is readable, or waited
 * for. */
int rlink_send(struct rlink *rlink, const struct buf *command, struct err *err);
redisReply *rlink_receive(struct rlink *rlink, struct err *err);

#endif
