/* What the other workers must know of broken projections: rows of pgusher.projection and pgusher.backfill.
 * All give 0, or -1 with err set; the others are told. */
#ifndef PGUSHER_WORKER_BROKEN_NOTE_H
#define PGUSHER_WORKER_BROKEN_NOTE_H

#include "cdc/session.h"

int note_broken(struct session *session, size_t projection, const char *why, struct err *err);
int note_mended(struct session *session, size_t projection, struct err *err);

/* All documents of these (an array literal of names) are brought in step by a run that begins after this.
 * queue_all: what is written already may not be queued. */
int note_make_up(struct session *session, const char *names, bool queue_all, struct err *err);
int note_make_up_for(struct session *session, size_t projection, struct err *err);

#endif
