/* Inside beside.h: what its files share. */
#ifndef PGUSHER_BESIDE_PRIVATE_H
#define PGUSHER_BESIDE_PRIVATE_H

#include "cdc/beside.h"

/* The caller frees. */
char *record_key(const struct session *session, int route);
/* Runs a command whose key, words[1], is the record of this route. NULL with err set; freed with rreply_free.
 */
struct rreply *record_run(struct session *session, int route, int argc, const char **words, struct err *err);
/* An element that is a string; NULL otherwise. */
const char *record_text(const struct rreply *reply, size_t index);

#endif
