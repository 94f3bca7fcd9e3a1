/* What a worker knows of its fleet when somebody asks over HTTP: a look (see look.h) on connections of its
 * own, which open at the first question and close after a minute without one. Looks are at least MIN_AGE
 * apart, and whoever asks waits for the one under way, but not long: then he gets what is known.
 */
#ifndef PGUSHER_WORKER_LOOK_H
#define PGUSHER_WORKER_LOOK_H

#include <jansson.h>

#include "cdc/look.h"
#include "common/http.h"

struct worker_look;

/* status: as look_status has it, looked at `age_ms` ago; valid only now. */
typedef void worker_look_fn(void *arg, struct http_exchange *exchange, json_t *status, int64_t age_ms);

/* The configuration must outlive it. */
struct worker_look *worker_look_new(struct loop *loop, const struct config *config);
/* Whoever waits is told to ask again. NULL-safe. */
void worker_look_free(struct worker_look *look);

/* Calls fn, at once or later, which answers. */
void worker_look_ask(struct worker_look *look, struct http_exchange *exchange, worker_look_fn *fn, void *arg);
/* Something was changed: the next question begins a look, however young the last one is. */
void worker_look_expire(struct worker_look *look);
/* What is known without asking: the caller's; NULL: nothing that is younger. */
json_t *worker_look_known(const struct worker_look *look, int64_t max_age_ms);

#endif
