/* Reading the documents behind items, for --docs: HGETALL of each, in pipelines, as they are when their items
 * have been reserved. Every call blocks until its answers.
 */
#ifndef PGUSHER_CONSUME_DOCUMENTS_H
#define PGUSHER_CONSUME_DOCUMENTS_H

#include "common/status.h"
#include "queue/consume_nodes.h"
#include "queue/consume_work.h"

/* Gives every open item of the work its line, or its refusal: a key that is no hash. 0; or -1 with err: call
 * again for those that have no line yet. */
int documents_read(struct nodes *nodes, struct work *work, struct err *err);

#endif
