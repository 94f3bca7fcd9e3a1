/* Inside worker.h: what its files share. */
#ifndef PGUSHER_WORKER_PRIVATE_H
#define PGUSHER_WORKER_PRIVATE_H

#include "cdc/feed.h"
#include "cdc/session.h"
#include "cdc/worker.h"
#include "common/backoff.h"

enum { POLL_FIRST_MS = 1 }; /* a writer is about to commit: ask again after this, then twice as long … */

struct worker {
    const struct worker_options *options;
    struct loop *loop;
    struct config *config;
    struct session *session;
    struct session *tried; /* being opened beside it, for a reload */
    struct feed *feed;
    struct timer *timer; /* what waiting waits for */
    struct timer *drain;
    struct backoff retry;
    int64_t poll_ms;
    int64_t saved_at_ms;
    int64_t reported_at_ms;
    int64_t changes; /* since the last report */
    struct tally reported;
    /* The last owner may have died between a put and its enqueue, so unchanged documents are queued, too:
     * until nothing is left to do. One batch is not enough: a change that came after it may have cut the link
     * by which a lookup led to the document. */
    bool queue_all;
    bool caught_up;
    bool standing_by; /* said so */
    int64_t stood_by_ms;
    bool has_run; /* a session was open once: what fails from now on is retried */
    bool stopping;
    bool reload;
    bool wake;
};

/* Makes worker_wait return; fits loop_fn. */
void worker_wake(void *worker);
/* Until something wants attention, or ms have passed. */
void worker_wait(struct worker *worker, int64_t ms);

/* The configuration file, or NULL after each mistake was logged. */
struct config *worker_load_config(const struct worker *worker);
bool worker_open(struct worker *worker, struct err *err);
void worker_close(struct worker *worker);
/* SIGHUP while connected: tries the new configuration beside the old one. */
void worker_reload(struct worker *worker);
/* SIGHUP while nothing is connected. */
void worker_reload_closed(struct worker *worker);
/* Tries to become the fleet's owner; worker->feed is set when it worked, otherwise it waited a little. */
int worker_stand_by(struct worker *worker, struct err *err);

#endif
