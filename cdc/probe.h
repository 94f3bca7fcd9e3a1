/* Whether a projection that was broken fits the database again: it is planned anew from the catalog of now,
 * and its SQL is run without a document. */
#ifndef PGUSHER_PROBE_H
#define PGUSHER_PROBE_H

#include "cdc/session.h"

/* 0, or -1 with err set: ST_UNFIT when it is still broken. */
int probe_projection(struct session *session, size_t projection, struct err *err);

#endif
