/* Inside pgusher status: how a look is printed. See status.h for the object, look.h for how it comes to be.
 */
#ifndef PGUSHER_VERB_STATUS_H
#define PGUSHER_VERB_STATUS_H

#include "cdc/tool.h"

/* Per second, since the look before; null: there is none. The caller's. */
json_t *status_rates(const json_t *now, const json_t *before);
void status_print_rates(const json_t *rates);

void status_print(const json_t *status, const json_t *rates);
void status_print_servers(const json_t *status); /* a part of it */

#endif
