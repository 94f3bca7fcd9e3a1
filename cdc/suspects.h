/* Documents that seem to differ. Each is looked at again until it is certain that it does, or does not:
 *
 *   - its row is read, then its hash. Equal: it was a change on its way. A hash that no worker wrote (it does
 * not fit its own digest, has no version, or one from the future) is drift: no traffic explains it;
 *   - the fleet is waited for until it has applied all that the row's snapshot saw;
 *   - the hash is read again. Equal: in step. Different, and no newer than the row that was read: the fleet
 * has applied all changes of this row and yet the hash is not its state, so it is drift. Newer: the row
 * changed meanwhile; from the beginning, a few times.
 *
 * So equality is judged by versions, not by chance: a row that changes and changes back deceives nobody.
 */
#ifndef PGUSHER_SUSPECTS_H
#define PGUSHER_SUSPECTS_H

#include "cdc/verify.h"

enum { SUSPECTS_MAX = 5000 }; /* at a time */

struct suspects;

/* Found drift goes into the result; with `repair` it is mended, too. */
struct suspects *suspects_new(struct session *session, size_t projection, bool repair,
                              struct verify_result *result);
void suspects_free(struct suspects *suspects); /* NULL-safe */

void suspects_add(struct suspects *suspects, const char *key, const char *const *id);
size_t suspects_count(const struct suspects *suspects);

/* One step more; those that are settled are gone afterwards. *ret_wait_ms: not before so many ms. 0, or -1
 * with err set. */
int suspects_step(struct suspects *suspects, int64_t *ret_wait_ms, struct err *err);

#endif
