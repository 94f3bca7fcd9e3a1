/* The canary: a change of nothing that travels the whole way (see cdc/sql/signs.sql), so that what people are
 * told about the delay was measured. Whoever's turn it is sends it; whoever reads its partition writes it
 * into Redis, after the documents of its page, and notes how long it took. See worker_private.h.
 *
 * That it fails is no trouble of the worker: it shows by its not arriving. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/worker_private.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"

enum { CANARY_CAPTURE = 0, KEY_FLEET = 0, KEY_SENT, KEY_PART, KEYS };
enum { AFTER_FAILURE_MS = 30000 };

static bool is_ours(const struct worker *worker, const struct change *change)
{
    return change->capture == CANARY_CAPTURE && change->nkeys == KEYS && change->keys[KEY_FLEET] &&
           change->keys[KEY_SENT] && change->keys[KEY_PART] &&
           strcmp(change->keys[KEY_FLEET], worker->session->number) == 0;
}

static int put(struct session *session, const struct change *change, struct err *err)
{
    char *key = mem_printf("pgusher:canary:%s", session->config->fleet);
    const char *const words[] = {
        "HSET", key, "sent_ms", change->keys[KEY_SENT], "part", change->keys[KEY_PART]};
    struct rreply *reply =
        rconn_run(session->rconn, rconn_route(session->rconn, key, strlen(key)), 6, words, err);

    rreply_free(reply);
    free(key);
    return reply ? 0 : -1;
}

static int note(struct session *session, const struct change *change, struct err *err)
{
    const char *const params[] = {session->number, change->keys[KEY_SENT]};
    struct pg_query query = {.sql = "SELECT pgusher.canary_arrived($1, $2)",
                             .name = "canary_arrived",
                             .params = params,
                             .nparams = 2};

    return pg_run(session->pg, &query, NULL, err);
}

size_t worker_take_canaries(struct worker *worker, const struct change *changes, size_t count)
{
    const struct change *last = NULL;
    struct err err = ERR_NONE;
    size_t canaries = 0;

    for (size_t i = 0; i < count; i++) {
        canaries += changes[i].capture == CANARY_CAPTURE;
        if (is_ours(worker, &changes[i]))
            last = &changes[i];
    }
    if (last && (put(worker->session, last, &err) != 0 || note(worker->session, last, &err) != 0))
        log_debug("the canary: %s", err.text);
    return canaries;
}

int64_t worker_canary_ms_left(const struct worker *worker)
{
    return worker->config->canary_ms ? worker->canary_at_ms - clock_mono_ms() : SAFETY_POLL_MS;
}

void worker_send_canary(struct worker *worker)
{
    char every[32];
    const char *const params[] = {worker->session->number, every};
    struct pg_query query = {
        .sql = "SELECT pgusher.send_canary($1, $2)", .name = "send_canary", .params = params, .nparams = 2};
    struct pg_rows *rows = NULL;
    struct err err = ERR_NONE;

    if (!worker->config->canary_ms || worker->options->once || worker_canary_ms_left(worker) > 0)
        return;
    snprintf(every, sizeof(every), "%lld ms", (long long)worker->config->canary_ms);
    worker->canary_at_ms = clock_mono_ms() + AFTER_FAILURE_MS;
    if (pg_run(worker->session->pg, &query, &rows, &err) == 0)
        worker->canary_at_ms = clock_mono_ms() + atoll(pg_rows_get(rows, 0, 0, NULL));
    else
        log_debug("the canary: %s", err.text);
    pg_rows_free(rows);
}
