#include "cdc/worker_promoter.h"

#include <stdlib.h>

#include "common/mem.h"
#include "common/script_send.h"
#include "queue/enqueue.h"

enum {
    FIRST_MS = 20,  /* while a list is taken from: a call moves a hundred */
    LAST_MS = 500,  /* while it is not: twice as long each time, up to this */
    EMPTY_MS = 1000 /* nothing is in any lane */
};

struct promoter {
    struct session *session;
    struct loop *loop;
    struct timer *timer;
    int64_t pause_ms;
    size_t outstanding;
    bool idle;  /* nothing is outstanding */
    bool moved; /* this time */
    bool left;
};

static int64_t next_pause(const struct promoter *promoter)
{
    int64_t pause_ms = promoter->pause_ms * 2;

    if (promoter->moved)
        return FIRST_MS;
    if (!promoter->left)
        return EMPTY_MS;
    return pause_ms < LAST_MS ? pause_ms : LAST_MS;
}

static void on_promoted(void *arg, const struct rreply *reply, const struct err *err)
{
    struct promoter *promoter = arg;
    int64_t moved, left;

    if (!err && enqueue_read_promoted(reply, &moved, &left)) {
        promoter->moved |= moved > 0;
        promoter->left |= left > 0;
    }
    if (--promoter->outstanding > 0)
        return;
    promoter->idle = true;
    promoter->pause_ms = next_pause(promoter);
    timer_start(promoter->timer, promoter->pause_ms);
}

static void promote(void *arg)
{
    struct promoter *promoter = arg;
    const struct config *config = promoter->session->config;

    promoter->moved = promoter->left = false;
    promoter->outstanding = config->nqueues;
    promoter->idle = config->nqueues == 0;
    for (size_t i = 0; i < config->nqueues; i++)
        script_send(enqueue_promote_new(config->queues[i].name), promoter->session->rconn, on_promoted,
                    promoter);
}

struct promoter *promoter_new(struct session *session)
{
    struct promoter *promoter = mem_zalloc(sizeof(*promoter));

    promoter->session = session;
    promoter->loop = session->loop;
    promoter->pause_ms = FIRST_MS;
    promoter->timer = timer_new(session->loop, promote, promoter);
    promote(promoter);
    return promoter;
}

void promoter_free(struct promoter *promoter)
{
    if (!promoter)
        return;
    loop_run_until(promoter->loop, &promoter->idle);
    timer_free(promoter->timer);
    free(promoter);
}
