/* Keys that projections wrote once and write no more, because the template of their keys changed or they left
 * the configuration (pgusher.former). What still stands there, in the form of no projection and with a
 * version of ours, is a ghost.
 */
#ifndef PGUSHER_FORMER_H
#define PGUSHER_FORMER_H

#include "cdc/verify.h"

struct former {
    char *projection;
    char *key;
};

/* Those of this fleet; the caller frees with former_free. 0, or -1 with err set. */
int former_load(struct session *session, struct former **ret_list, size_t *ret_count, struct err *err);
void former_free(struct former *list, size_t count);

/* Walks through its keys until all were seen, or *stop. With `repair` what is found is removed and queued,
 * and when nothing is left, the template is forgotten. Found drift goes into the result. 0, or -1 with err
 * set. */
int former_verify(struct session *session, const struct former *former, bool repair, const bool *stop,
                  struct verify_result *result, struct err *err);

#endif
