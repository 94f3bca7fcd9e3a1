/* Inside `pgusher backfill`: what its files share. */
#ifndef PGUSHER_VERB_BACKFILL_H
#define PGUSHER_VERB_BACKFILL_H

#include "cdc/tool.h"

/* One run of the verb. */
struct backfill {
    const struct tool *tool;
    struct loop *loop;
    const struct config *config;
    struct session *session; /* with PostgreSQL; with Redis, too, when there is no worker */
    char *names;             /* the projections that are meant, as an array literal */
    const char *filter;      /* "": all documents */
    int64_t workers;         /* of the fleet, alive */
    bool interrupted;
};

/* One backfill that was asked for. Texts are its own. */
struct asked {
    char *projection;
    char *asked_at;
    char *error;       /* why it fails; NULL */
    int64_t failed_ms; /* when that was seen first */
    int64_t documents;
    int64_t total; /* -1: not known */
    int64_t keys;  /* that were compared, before the documents; -1: that is over */
    bool is_new;   /* otherwise it was under way */
    bool paused;
    bool gone; /* from the database */
    bool over;
    bool cancelled;
};

struct asked_list {
    struct asked *list;
    size_t count;
};

/* ---- asking ---- */

/* Whether the condition can be one of each projection's source. 0, or -1 with err set. */
int backfill_check_filter(const struct backfill *backfill, struct err *err);
int backfill_count_workers(struct backfill *backfill, struct err *err);
/* 0, or -1 with err set. */
int backfill_ask(const struct backfill *backfill, struct asked_list *asked, struct err *err);
void backfill_asked_free(struct asked_list *asked);
/* How many documents; -1 when it takes too long to count them. */
int64_t backfill_count(struct session *session, size_t projection, const char *filter);
/* --pause, --resume or --cancel. 0, or -1 with err set. */
int backfill_steer(const struct backfill *backfill, struct err *err);

/* ---- following ---- */

/* Until all are over; does them itself when the fleet has no worker. 0, or -1 with err set, also when one
 * failed or was cancelled. */
int backfill_follow(struct backfill *backfill, struct asked_list *asked, struct err *err);
/* How each is. */
json_t *backfill_asked_json(const struct backfill *backfill, const struct asked_list *asked);

/* ---- only looking ---- */

/* --dry-run. 0, or -1 with err set. */
int backfill_dry_run(const struct backfill *backfill, struct err *err);

#endif
