/* Inside worker.h: what its files share. */
#ifndef PGUSHER_WORKER_PRIVATE_H
#define PGUSHER_WORKER_PRIVATE_H

#include "cdc/feed.h"
#include "cdc/fleet.h"
#include "cdc/session.h"
#include "cdc/tasks.h"
#include "cdc/worker.h"
#include "cdc/worker_promoter.h"
#include "cdc/worker_row.h"
#include "cdc/worker_broken.h"
#include "cdc/worker_notify.h"
#include "cdc/worker_retry.h"
#include "cdc/worker_sweep.h"
#include "common/backoff.h"
#include "common/buf.h"
#include "common/log_repeat.h"

enum {
    POLL_FIRST_MS = 1,      /* a writer is about to commit: ask again after this, then twice as long … */
    SAFETY_POLL_MS = 30000, /* asleep, even if no notification comes */
};

struct checkup;
struct worker_http;

/* Whether the worker gets on, see worker_progress.c. */
struct progress {
    int64_t steps;   /* of its life */
    bool resting;    /* it waits for something to happen */
    int64_t seen;    /* what had been done … */
    int64_t seen_ms; /* … when that was last seen to grow, or nothing was to be done */
};

struct worker {
    const struct worker_options *options;
    struct loop *loop;
    struct config *config;
    struct session *session;
    struct session *tried; /* being opened beside it, for a reload */
    struct fleet *fleet;   /* NULL with --once */
    struct feed *feed;
    struct tasks *tasks;
    struct promoter *promoter;
    struct sweep *sweep;
    struct retry *retrying;  /* what is in quarantine */
    struct broken *broken;   /* projections that are left out; outlives sessions */
    struct checkup *checkup; /* NULL with --once */
    struct timer *timer;     /* what waiting waits for */
    struct timer *drain;
    struct timer *pulse; /* once a second, whether the servers still are what they were */
    struct backoff retry;
    struct log_repeat complaint; /* why it tries again */
    int64_t poll_ms;
    int64_t saved_at_ms;
    int64_t saved_in_pg_at_ms;
    int64_t reported_at_ms;
    int64_t tidied_at_ms;
    bool untidy;     /* the changelog may hold what nobody needs any more */
    int64_t changes; /* since the last report */
    struct tally reported;
    int64_t canary_at_ms; /* when to ask whether it is time for one */
    struct worker_row *row;
    struct notify *notify;
    int64_t epoch; /* what the last session used */
    int64_t ordinal;
    char *dataset;
    char *shapes; /* see shapes_adopt */
    char *database;
    /* The last owner may have died between a put and its enqueue, so unchanged documents are queued, too:
     * until nothing is left to do. One batch is not enough: a change that came after it may have cut the link
     * by which a lookup led to the document. */
    bool queue_all;
    bool caught_up;
    int64_t waited_ms; /* --once: for others to end */
    struct progress progress;
    struct worker_http *http; /* NULL: not configured, or --once */
    bool warned;              /* see session_opener */
    bool has_run;             /* a session was open once: what fails from now on is retried */
    bool stopping;
    bool reload;
    bool wake;
};

/* Makes worker_wait return; fits loop_fn. */
void worker_wake(void *worker);
/* Until something wants attention, or ms have passed. */
void worker_wait(struct worker *worker, int64_t ms);

static inline int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* What is due of the sweep. 0, or -1 with err set. */
int worker_sweep(struct worker *worker, struct err *err);
/* What is due of the chores. While resting cursors are saved in PostgreSQL sooner. 0, or -1 with err set. */
int worker_do_chores(struct worker *worker, bool resting, struct err *err);
int64_t worker_ms_to_next_chore(const struct worker *worker);
/* Logs why it tries again, and when; the same only once a minute. */
void worker_complain(struct worker *worker, const struct err *err, int64_t wait_ms);
/* Of all sessions. */
struct tally worker_tally(const struct worker *worker);
/* Logs what was done since the last time, if anything was. */
void worker_report(struct worker *worker);

/* The canaries among these changes, which are applied, are written into Redis and noted; gives how many there
 * are, of other fleets too. */
size_t worker_take_canaries(struct worker *worker, const struct change *changes, size_t count);
/* When it is time, and no other worker has. */
void worker_send_canary(struct worker *worker);
int64_t worker_canary_ms_left(const struct worker *worker);

/* How long something is to be done and nothing gets done, ms. To be called once a second. */
int64_t worker_stalled_ms(struct worker *worker);
/* Whether it is connected and gets on, or has nothing to do. If not, why, on one line; if so, what it is at.
 */
bool worker_is_ready(struct worker *worker, struct buf *ret_text);

/* The configuration file, or NULL after each mistake was logged. */
struct config *worker_load_config(const struct worker *worker);
bool worker_open(struct worker *worker, struct err *err);
void worker_close(struct worker *worker);
/* Looks once a second, whatever else it does, whether Redis holds what it held, and says how this worker
 * stands. Fits loop_fn. */
void worker_pulse(void *worker);
/* SIGHUP while connected: tries the new configuration beside the old one. 0 also when it is refused; -1 with
 * err set when the session has to be opened anew. */
int worker_reload(struct worker *worker, struct err *err);
/* SIGHUP while nothing is connected. */
void worker_reload_closed(struct worker *worker);
/* --once: tries to own everything; waits a little when somebody else owns something. */
int worker_own_all(struct worker *worker, struct err *err);
/* Follows the fleet: takes partitions over, gives some up. 0, or -1 with err set. */
int worker_follow_fleet(struct worker *worker, struct err *err);
/* The last thing before the session ends: what is owned is given up, so that others go on at once. */
int worker_leave(struct worker *worker, struct err *err);

/* ---- the scheduled verify ----
 *
 * Every projection is compared every so often, by one worker of the fleet at a time, a chunk at a time
 * between other work; while live changes wait (busy) that takes at most a fifth of the time. */
struct checkup *checkup_new(struct session *session);
void checkup_free(struct checkup *checkup); /* NULL-safe */
/* How long until the next step; -1: never, as for NULL. */
int64_t checkup_ms_left(const struct checkup *checkup, bool busy);
/* 0, or -1 with err set: the session is lost, or (ST_UNFIT) the verify was given up because the projection
 * could not be read. */
int checkup_step(struct checkup *checkup, struct err *err);
size_t checkup_unfit(const struct checkup *checkup);

#endif
