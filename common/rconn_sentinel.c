/* All sentinels are asked at once; the newest answer is tried first, and the server it names must say itself
 * that it is a primary. All of them are then listened to for as long as the rconn lives: any of them may be
 * the one that tells of a failover. One that does not answer is asked again and again, quietly. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/backoff.h"
#include "common/mem.h"
#include "common/rconn_kind.h"
#include "common/rconn_round.h"
#include "common/redis_nodes.h"

enum { RETRY_BASE_MS = 500, RETRY_CAP_MS = 5000 };

struct watcher {
    struct sentinel *sentinel;
    struct redis_url url;
    struct rconn_link *link;
    struct timer *retry;
    struct backoff backoff;
    int64_t epoch; /* of what it says */
    bool heard;    /* in the round in which the primary is looked for */
};

struct candidate {
    char *host;
    int port;
    int64_t epoch;
};

struct sentinel {
    struct rconn *rconn;
    struct redis_url url;
    struct watcher *watchers; /* one for each of url's addresses */
    struct round round;
    struct candidate *candidates;
    size_t ncandidates;
    size_t capacity;
    size_t next;              /* candidate to try */
    struct candidate current; /* the one that is tried or used; part of candidates */
    struct rconn_link *link;  /* to it; NULL before */
};

/* ---- the primary ---- */

static void try_next(struct sentinel *sentinel);

static void on_primary_up(void *arg)
{
    struct sentinel *sentinel = arg;
    struct redis_url server = {0};
    char *by = redis_url_show(&sentinel->url), *shown, *identity;

    redis_url_to_server(&server, &sentinel->url, sentinel->current.host, sentinel->current.port);
    shown = redis_url_show(&server);
    identity = mem_printf("%s by %s", shown, by);
    rconn_came_up(sentinel->rconn, identity);
    redis_url_free(&server);
    free(identity);
    free(shown);
    free(by);
}

static void on_primary_down(void *arg, const struct err *why)
{
    struct sentinel *sentinel = arg;

    if (rconn_is_up(sentinel->rconn)) {
        rconn_went_down(sentinel->rconn, why->status, why->text);
        return;
    }
    err_clear(&sentinel->round.why_not);
    err_copy(&sentinel->round.why_not, why);
    rconn_link_free(sentinel->link, why->text);
    sentinel->link = NULL;
    try_next(sentinel);
}

static void connect_primary(struct sentinel *sentinel)
{
    static const struct rconn_handlers handlers = {on_primary_up, on_primary_down};
    struct redis_url server = {0};

    redis_url_to_server(&server, &sentinel->url, sentinel->current.host, sentinel->current.port);
    sentinel->link = rconn_link_new(rconn_loop(sentinel->rconn), ROLE_PRIMARY, &handlers, sentinel);
    rconn_link_open(sentinel->link, &server);
    redis_url_free(&server);
}

static void try_next(struct sentinel *sentinel)
{
    if (sentinel->next < sentinel->ncandidates) {
        sentinel->current = sentinel->candidates[sentinel->next++];
        connect_primary(sentinel);
    } else {
        rconn_went_down(sentinel->rconn, sentinel->round.why_not.status, sentinel->round.why_not.text);
    }
}

/* The newest first. */
static int compare(const void *a, const void *b)
{
    const struct candidate *left = a, *right = b;

    return (left->epoch < right->epoch) - (left->epoch > right->epoch);
}

static void on_enough(void *arg)
{
    struct sentinel *sentinel = arg;

    if (sentinel->ncandidates)
        qsort(sentinel->candidates, sentinel->ncandidates, sizeof(*sentinel->candidates), compare);
    try_next(sentinel);
}

/* ---- what sentinels say ---- */

static bool is_current(const struct sentinel *sentinel, const char *host, int port)
{
    return sentinel->current.host && sentinel->current.port == port &&
           strcmp(sentinel->current.host, host) == 0;
}

static void failed_over(struct sentinel *sentinel, const char *host, int port)
{
    char *why = mem_printf("Sentinel: %s failed over from %s:%d to %s:%d", sentinel->url.master,
                           sentinel->current.host, sentinel->current.port, host, port);

    rconn_went_down(sentinel->rconn, ST_LOST, why);
    free(why);
}

static bool is_candidate(const struct sentinel *sentinel, const struct candidate *master)
{
    for (size_t i = 0; i < sentinel->ncandidates; i++)
        if (sentinel->candidates[i].port == master->port &&
            strcmp(sentinel->candidates[i].host, master->host) == 0 &&
            sentinel->candidates[i].epoch >= master->epoch)
            return true;
    return false;
}

/* While it is looked for. A sentinel that is lost and back meanwhile may name several. */
static void add_candidate(struct sentinel *sentinel, const struct candidate *master)
{
    if (is_candidate(sentinel, master))
        return;
    sentinel->candidates = mem_grow(sentinel->candidates, sentinel->ncandidates, &sentinel->capacity,
                                    sizeof(*sentinel->candidates));
    sentinel->candidates[sentinel->ncandidates++] =
        (struct candidate){mem_strdup(master->host), master->port, master->epoch};
}

static void heard(struct watcher *watcher, bool useful)
{
    if (watcher->heard)
        return;
    watcher->heard = true;
    round_heard(&watcher->sentinel->round, useful);
}

static void fail(struct watcher *watcher, const struct err *why)
{
    err_copy_graver(&watcher->sentinel->round.why_not, why);
    heard(watcher, false);
}

static void fail_with(struct watcher *watcher, enum status status, const char *what)
{
    struct err why = ERR_NONE;
    char *shown = redis_url_show(&watcher->url);

    err_set(&why, status, "Sentinel at %s: %s", shown, what);
    free(shown);
    fail(watcher, &why);
}

static void take_master(struct watcher *watcher, const struct candidate *master)
{
    struct sentinel *sentinel = watcher->sentinel;

    backoff_reset(&watcher->backoff);
    if (!sentinel->round.over)
        add_candidate(sentinel, master);
    else if (sentinel->link && master->epoch > sentinel->current.epoch &&
             !is_current(sentinel, master->host, master->port))
        failed_over(sentinel, master->host, master->port);
    else if (is_current(sentinel, master->host, master->port) && master->epoch > sentinel->current.epoch)
        sentinel->current.epoch = master->epoch;
    heard(watcher, true);
}

static void unknown_master(struct watcher *watcher)
{
    char *what = mem_printf("it knows no master \"%s\"", watcher->sentinel->url.master);

    fail_with(watcher, ST_CONFIG, what);
    free(what);
}

static void on_epoch(void *arg, const struct rreply *reply, const struct err *err)
{
    struct watcher *watcher = arg;

    watcher->epoch = err ? 0 : redis_read_master_epoch((const struct redisReply *)reply);
}

static void on_master(void *arg, const struct rreply *reply, const struct err *err)
{
    struct watcher *watcher = arg;
    struct candidate master = {.epoch = watcher->epoch};
    const char *host;

    if (err) {
        fail_with(watcher, err->status == ST_REFUSED ? ST_CONFIG : err->status, rconn_link_said(err));
    } else if (redis_read_master((const struct redisReply *)reply, &host, &master.port)) {
        master.host = (char *)host;
        take_master(watcher, &master);
    } else {
        unknown_master(watcher);
    }
}

/* "mymaster 127.0.0.1 6379 127.0.0.1 6380": the old address and the new. */
static void on_switch(void *arg, const char *text)
{
    struct watcher *watcher = arg;
    struct sentinel *sentinel = watcher->sentinel;
    size_t len = strlen(sentinel->url.master);
    char host[256];
    int port;

    if (strncmp(text, sentinel->url.master, len) == 0 && text[len] == ' ' &&
        sscanf(text + len, " %*s %*d %255s %d", host, &port) == 2 && sentinel->link &&
        !is_current(sentinel, host, port))
        failed_over(sentinel, host, port);
}

/* ---- the sentinels ---- */

/* In one piece, so that no failover comes between the answer and the subscription. */
static void on_watcher_up(void *arg)
{
    struct watcher *watcher = arg;
    const char *name = watcher->sentinel->url.master;

    rconn_link_command(watcher->link, 3, (const char *const[]){"SENTINEL", "MASTER", name}, on_epoch,
                       watcher);
    rconn_link_command(watcher->link, 3, (const char *const[]){"SENTINEL", "GET-MASTER-ADDR-BY-NAME", name},
                       on_master, watcher);
    rconn_link_subscribe(watcher->link, "+switch-master", on_switch, watcher);
}

static void on_watcher_down(void *arg, const struct err *why)
{
    struct watcher *watcher = arg;

    fail(watcher, why);
    timer_start(watcher->retry, backoff_next(&watcher->backoff));
}

static void on_retry(void *arg)
{
    struct watcher *watcher = arg;

    rconn_link_open(watcher->link, &watcher->url);
}

static void watch(struct sentinel *sentinel, size_t i)
{
    static const struct rconn_handlers handlers = {on_watcher_up, on_watcher_down};
    struct watcher *watcher = &sentinel->watchers[i];
    struct loop *loop = rconn_loop(sentinel->rconn);

    watcher->sentinel = sentinel;
    redis_url_to_sentinel(&watcher->url, &sentinel->url, i);
    watcher->link = rconn_link_new(loop, ROLE_SENTINEL, &handlers, watcher);
    watcher->retry = timer_new(loop, on_retry, watcher);
    backoff_init(&watcher->backoff, RETRY_BASE_MS, RETRY_CAP_MS);
    rconn_link_open(watcher->link, &watcher->url);
}

/* ---- as an rconn ---- */

static void *sentinel_open(struct rconn *rconn, const struct redis_url *url)
{
    struct sentinel *sentinel = mem_zalloc(sizeof(*sentinel));

    sentinel->rconn = rconn;
    redis_url_copy(&sentinel->url, url);
    sentinel->watchers = mem_zalloc(sizeof(*sentinel->watchers) * url->naddresses);
    round_init(&sentinel->round, rconn_loop(rconn), url->naddresses, on_enough, sentinel);
    for (size_t i = 0; i < url->naddresses; i++)
        watch(sentinel, i);
    return sentinel;
}

static void sentinel_send(void *self, int route, const char *command, size_t len, rconn_fn *fn, void *arg)
{
    struct sentinel *sentinel = self;

    (void)route;
    rconn_link_send(sentinel->link, command, len, fn, arg);
}

static void sentinel_close(void *self, const char *why)
{
    struct sentinel *sentinel = self;

    sentinel->round.over = true;
    timer_stop(sentinel->round.enough);
    rconn_link_free(sentinel->link, why);
    sentinel->link = NULL;
    for (size_t i = 0; i < sentinel->url.naddresses; i++) {
        timer_stop(sentinel->watchers[i].retry);
        rconn_link_free(sentinel->watchers[i].link, why);
    }
}

static void sentinel_free(void *self)
{
    struct sentinel *sentinel = self;

    for (size_t i = 0; i < sentinel->url.naddresses; i++) {
        timer_free(sentinel->watchers[i].retry);
        redis_url_free(&sentinel->watchers[i].url);
    }
    for (size_t i = 0; i < sentinel->ncandidates; i++)
        free(sentinel->candidates[i].host);
    round_release(&sentinel->round);
    redis_url_free(&sentinel->url);
    free(sentinel->candidates);
    free(sentinel->watchers);
    free(sentinel);
}

const struct rconn_kind rconn_sentinel = {
    .open = sentinel_open, .send = sentinel_send, .close = sentinel_close, .free = sentinel_free};
