/* With "rows": "many" an id has several documents. Which of them stand in Redis is kept beside them, so that
 * one that the id does not yield any more is found and removed: a hash pgusher:rows:<key, with * for the
 * columns that are not the id's>, in it a field for each document key, whose value is the version at which
 * the id yielded it.
 *
 * The documents of one id and their index may be in different slots of a cluster, so nothing is done to them
 * at once. What holds instead, whoever dies between two steps: the index names every document that may stand.
 *   - A key is in the index before its document is put: documents are held here until that is answered.
 *   - It leaves the index only after its removal was answered and what is to be queued was queued. Until then
 *     who reads the id again finds it, removes it again and, when the last owner may have died, queues it.
 * Two owners: versions in the index only grow. The slower one, with an older snapshot, is not told keys that
 * a newer one yielded, does not make the index forget them, and where it had been told just before, the
 * guards of document and tombstone refuse its removal, or its put.
 *
 * An index key expires a day after the last of its documents, and never earlier than it was once to. An index
 * that is lost (deleted, evicted, not yet on the replica that was promoted) comes back when its ids are read;
 * documents that nobody knows then are found by SCAN: see rows_index_suspect.
 */
#ifndef PGUSHER_ROWS_INDEX_H
#define PGUSHER_ROWS_INDEX_H

#include "cdc/document.h"
#include "cdc/ids.h"
#include "cdc/session.h"

#define ROWS_INDEX_HEAD "pgusher:rows:"

struct rows_index;

struct rows_index_handlers {
    /* The index key of an id holds something else, so nothing is written of it. */
    sink_refused_fn *refused;
    /* This key is being removed. */
    void (*removed)(void *arg, const struct plan_projection *projection, const char *key);
    sink_pressure_fn *pressure;
};

/* Puts and removes by way of the sink, which must outlive it. The handlers are copied. */
struct rows_index *rows_index_new(struct session *session, struct sink *sink,
                                  const struct rows_index_handlers *handlers, void *arg);
void rows_index_free(struct rows_index *index); /* NULL-safe; waits for what is outstanding */

/* A document that its id yields; copied. All until settle or drop are of one projection and version. */
void rows_index_add(struct rows_index *index, const struct plan_projection *projection,
                    const struct document *document, int64_t version);
/* The same of one that cannot be written: what stands under its key stays. */
void rows_index_spare(struct rows_index *index, const struct plan_projection *projection,
                      const struct document *document, int64_t version);
/* These ids, and those of the documents since the last settle, yield just these documents: puts them, removes
 * what else the index knows. Waits for the index, not for the sink. 0, or -1 with err set. */
int rows_index_settle(struct rows_index *index, const struct plan_projection *projection,
                      const struct ids *ids, size_t first, size_t count, int64_t version, struct err *err);
/* Forgets the documents since the last settle, as far as they are not put already. */
void rows_index_drop(struct rows_index *index);

/* Something stands under these keys (of the form of the projection's): puts them into the index where it does
 * not know them, so that settling their ids removes what is not yielded. Adds to ids those that must be read:
 * of whose keys one was not yielded since that version. Waits. 0, or -1 with err set. */
int rows_index_suspect(struct rows_index *index, const struct plan_projection *projection,
                       const struct ids *keys, int64_t since, struct ids *ids, struct err *err);

/* The removal of this key failed: it stays in the index. */
void rows_index_keep(struct rows_index *index, const char *key);
/* Everything is removed and queued: the index may forget. Waits. 0, or -1 with err set. */
int rows_index_forget(struct rows_index *index, struct err *err);

#endif
