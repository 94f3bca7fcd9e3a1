/* Reads documents with the user's SQL and tells what it found: each row as a document, each id without a row,
 * and each id whose row makes the SQL fail, which is found by halving. Writes nothing.
 *
 * With "rows": "many" an id has as many documents as it has rows, and a document's key is more than its id.
 * What has to be said of the id as a whole (missing, refused) is said with the key that has * for the other
 * columns.
 *
 * Everything of one call to a handler has the version of the statement's snapshot (see snapshot.h).
 */
#ifndef PGUSHER_READER_H
#define PGUSHER_READER_H

#include "cdc/document.h"
#include "cdc/ids.h"
#include "cdc/session.h"

/* Ids read by one SELECT; with many rows an id is as much work as dozens of others. */
enum { READER_IDS = 1000, READER_IDS_MANY = 100 };

struct reader;

struct reader_handlers {
    /* The document is the reader's, and valid only now. */
    void (*document)(void *arg, const struct plan_projection *projection, const struct document *document,
                     int64_t version);
    /* There is no row with this id. May be NULL. */
    void (*missing)(void *arg, const struct plan_projection *projection, const char *const *id,
                    int64_t version);
    /* The document with this key cannot be built, or its key is not its own. */
    void (*refused)(void *arg, const struct plan_projection *projection, const char *key, const char *error);

    /* With many rows only; each may be NULL. `complete`: all that there is under the `count` ids from `first`
     * on was told since the last complete or failed, in this version; it may wait in the loop, and what it
     * returns ends the reading. `failed`: what was told since is only a part, and will be told again. */
    int (*complete)(void *arg, const struct plan_projection *projection, const struct ids *ids, size_t first,
                    size_t count, int64_t version, struct err *err);
    void (*failed)(void *arg);
};

/* The handlers are copied. */
struct reader *reader_new(struct session *session, const struct reader_handlers *handlers, void *arg);
void reader_free(struct reader *reader); /* NULL-safe */

/* While `refused` is told: the id of that document. */
const char *const *reader_refused_id(const struct reader *reader);

/* Why this key (of plan_render_key) of this id cannot be told from another document's; NULL when it can.
 * `refused` is told for such a document; of a missing one its owner must ask, for what stands under that key
 * is not its own. */
const char *reader_key_fault(const struct reader *reader, const struct plan_projection *projection,
                             const char *const *id, const struct buf *key);

/* Reads the documents with these ids. 0, or -1 with err set: ST_UNFIT when the statement does not fit the
 * database whatever the ids, or the session is lost. */
int reader_ids(struct reader *reader, size_t projection, const struct ids *ids, struct err *err);

/* Reads the documents of a stretch of ids, from the one behind *after on (NULL: from the first). *after
 * becomes the id of the last one, in values the caller frees with reader_position_free; *ret_count says how
 * many, fewer than the stretch's limit at the end. 0, or -1 with err set. */
int reader_after(struct reader *reader, size_t projection, const struct plan_stretch *stretch, char ***after,
                 size_t *ret_count, struct err *err);
void reader_position_free(const struct plan_projection *projection, char **position); /* NULL-safe */

#endif
