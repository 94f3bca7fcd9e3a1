/* Whether rows could have ids that were read off keys: whether the values are of the types of the columns.
 * Other programs may have keys that look like documents' ("event:settings" where ids are numbers). */
#ifndef PGUSHER_POSSIBLE_H
#define PGUSHER_POSSIBLE_H

#include "cdc/ids.h"
#include "cdc/session.h"

/* All of these ids. Nothing but their values is looked at. 0, or -1 with err set. */
int possible_ids(struct session *session, const struct plan_projection *plan, const struct ids *ids,
                 bool *ret_possible, struct err *err);

#endif
