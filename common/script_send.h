/* Sending script calls over an asynchronous connection: EVALSHA, and EVAL on NOSCRIPT.
 *
 * After a restart or a failover NOSCRIPT is normal, in the middle of a pipeline too. The call keeps its words
 * until its answer, and on NOSCRIPT sends itself again with the text: then it comes behind what was pipelined
 * after it, which the callers of scripts must not mind.
 */
#ifndef PGUSHER_SCRIPT_SEND_H
#define PGUSHER_SCRIPT_SEND_H

#include "common/rconn.h"
#include "common/script.h"

/* Gives the call away; it has at least one key, which says where it goes. fn is called exactly once, as with
 * rconn_send. */
void script_send(struct script_call *call, struct rconn *rconn, rconn_fn *fn, void *arg);

#endif
