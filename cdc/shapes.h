/* Changed shapes of projections: what a worker finds when it adopts a session is compared with what the fleet
 * noted in pgusher.projection, and the operator is told what changed and which command applies it: documents
 * that stand already are not written again by themselves, for there may be millions. The same is noted in
 * pgusher.projection.stale until a full backfill that was asked for after the change is done. Forms of keys
 * that nobody writes any more go to pgusher.former, for pgusher verify --repair.
 *
 * A projection that is new to a fleet is filled without being asked for.
 *
 * While a fleet's workers are given another configuration one after the other, their shapes differ. A worker
 * notes a shape when it starts, when its configuration was read again and when the source changed, never
 * because a session was merely opened anew: so each worker speaks once.
 */
#ifndef PGUSHER_SHAPES_H
#define PGUSHER_SHAPES_H

#include "cdc/session.h"

/* `known`: what this process adopted last, NULL at first; becomes what the session has. 0, or -1 with err
 * set. */
int shapes_adopt(struct session *session, char **known, struct err *err);

#endif
