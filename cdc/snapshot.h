/* PostgreSQL snapshots (pg_snapshot, "xmin:xmax:xip,xip…") and the document version made from one. Pure.
 *
 * On one primary snapshots are totally ordered, and the number of finished transactions,
 * xmax - 1 - (number in progress), grows with every one that ends. That ordinal under an epoch, which changes
 * with the database's history, is the version of everything read in the snapshot. The xid of a change would
 * be wrong: a higher xid may commit first, and the later, newer state would be refused.
 */
#ifndef PGUSHER_SNAPSHOT_H
#define PGUSHER_SNAPSHOT_H

#include <stdint.h>

enum { VERSION_ORDINAL_BITS = 43, VERSION_MAX_EPOCH = 1023 };

/* Ordinal of a snapshot in text form; -1 when the text is no snapshot. */
int64_t snapshot_ordinal(const char *text);

/* epoch 0…1023 above 43 bits of ordinal: below 2^53, exact in Lua's doubles. -1 when out of range. */
int64_t version_make(int64_t epoch, int64_t ordinal);

#endif
