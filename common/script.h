/* Calling the Lua scripts that Redis runs: EVALSHA, and EVAL when Redis does not know the script (any more).
 *
 * After a restart or a failover NOSCRIPT is normal, in the middle of a pipeline too. The call keeps its words
 * until its answer, and on NOSCRIPT sends itself again with the text: then it comes behind what was pipelined
 * after it, which the callers of scripts must not mind.
 */
#ifndef PGUSHER_SCRIPT_H
#define PGUSHER_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/rconn.h"

struct script {
    const char *name;
    const char *sha1; /* of text, hexadecimal */
    const char *text;
};

struct script_call;

struct script_call *script_call_new(const struct script *script);
void script_call_free(struct script_call *call); /* only a call that was not sent; NULL-safe */
void script_key(struct script_call *call, const char *key, size_t len);
void script_arg(struct script_call *call, const char *arg, size_t len);
void script_arg_int(struct script_call *call, int64_t arg);
/* `count` arguments that resp_put_bulk wrote one behind the other. */
void script_args_raw(struct script_call *call, const struct buf *args, size_t count);
size_t script_call_bytes(const struct script_call *call); /* keys and arguments so far */

/* One word in the wire format: $length, the bytes. */
void resp_put_bulk(struct buf *buf, const char *data, size_t len);

/* Gives the call away. fn is called exactly once, as with rconn_send. */
void script_send(struct script_call *call, struct rconn *rconn, rconn_fn *fn, void *arg);

#endif
