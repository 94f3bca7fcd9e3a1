/* What may be done over HTTP by whoever has the token: POST /replay?queue=NAME puts the dead letters of a
 * queue on it again, POST /retry?projection=NAME has what is in quarantine tried again now.
 *
 * The token comes in the header Authorization, as "Bearer TOKEN", which no browser adds by itself to a
 * request of another page; what a browser says comes from elsewhere is refused besides. Without a token in
 * the configuration nobody may do anything.
 *
 * Each action has a connection of its own and waits for nobody; the answer comes when it is done.
 */
#ifndef PGUSHER_WORKER_ACTION_H
#define PGUSHER_WORKER_ACTION_H

#include "cdc/config.h"
#include "common/http.h"

struct actions;

/* The configuration must outlive it. `done` is called after an action has changed something. */
struct actions *actions_new(struct loop *loop, const struct config *config, loop_fn *done, void *arg);
/* Whoever waits is told that it is not known what became of it. NULL-safe. */
void actions_free(struct actions *actions);

/* Whether the path is one of an action. */
bool actions_know(const char *path);
/* Answers the POST, at once or later. */
void actions_take(struct actions *actions, struct http_exchange *exchange);

#endif
