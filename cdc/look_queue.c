/* One queue, by its stats script, and its dead letters. See look_redis.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/look_redis.h"
#include "common/script_send.h"
#include "queue/stats_read.h"
#include "queue/tool_text.h"

enum { DEAD_LETTERS = 20 };

static json_t *ms_or_null(int64_t ms)
{
    return ms < 0 ? json_null() : json_integer(ms);
}

static json_t *queue_json(const char *name, const struct pgusher_queue_stats *stats)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:b, s:I, s:I, s:I, s:I}", "queue", name, "waiting",
                     (json_int_t)stats->waiting, "later", (json_int_t)stats->later, "in_flight",
                     (json_int_t)stats->in_flight + (json_int_t)stats->plain, "delayed",
                     (json_int_t)stats->delayed, "dead", (json_int_t)stats->dead, "oldest_waiting_ms",
                     ms_or_null(stats->oldest_waiting_ms), "paused", stats->paused, "consumers",
                     (json_int_t)stats->nconsumers, "queued", (json_int_t)stats->queued, "acked",
                     (json_int_t)stats->acked, "failed", (json_int_t)stats->failed);
}

/* ---- asking ---- */

/* The error names the queue; its text may be that of the key only. */
static void heard(struct look_queue *queue, const struct err *err)
{
    struct err named = ERR_NONE;

    if (err) {
        err_copy(&named, err);
        err_context(&named, "queue %s", queue->round->config ? queue->name : "");
    }
    look_round_heard(queue->round, err ? &named : NULL);
}

/* lens NULL: they end with NUL, as in rconn_send. */
static void ask(struct look_queue *queue, int argc, const char *const *argv, const size_t *lens, rconn_fn *fn)
{
    struct rconn *rconn = queue->round->rconn;

    queue->round->pending++;
    rconn_send(rconn, rconn_route(rconn, argv[1], strlen(argv[1])), argc, argv, lens, fn, queue);
}

/* ---- dead letters ---- */

static void on_reasons(void *arg, const struct rreply *reply, const struct err *err)
{
    struct look_queue *queue = arg;
    json_t *letters = json_object_get(queue->json, "dead_letters"), *letter;
    size_t i;

    json_array_foreach (letters, i, letter) {
        const char *record = !err && i < rreply_count(reply) ? rreply_string(rreply_at(reply, i), NULL) : "";
        const char *reason = stats_reason(record);

        json_object_set_new(letter, "reason", text_json(reason, strlen(reason)));
    }
    heard(queue, err);
}

/* HMGET wants the items as they are, bytes. */
static void ask_reasons(struct look_queue *queue, const struct rreply *items)
{
    const char *words[2 + DEAD_LETTERS] = {"HMGET", queue->keys.name[KEY_FAILURES]};
    size_t lens[2 + DEAD_LETTERS] = {strlen(words[0]), strlen(words[1])};
    size_t count = rreply_count(items) / 2;

    count = count < DEAD_LETTERS ? count : DEAD_LETTERS; /* more were not asked for */
    for (size_t i = 0; i < count; i++)
        words[2 + i] = rreply_string(rreply_at(items, 2 * i), &lens[2 + i]);
    ask(queue, (int)(2 + count), words, lens, on_reasons);
}

static void on_dead(void *arg, const struct rreply *reply, const struct err *err)
{
    struct look_queue *queue = arg;
    json_t *letters = json_array();
    size_t count = err ? 0 : rreply_count(reply) / 2;

    json_object_set_new(queue->json, "dead_letters", letters);
    for (size_t i = 0; i < count; i++) {
        size_t len;
        const char *item = rreply_string(rreply_at(reply, 2 * i), &len);
        double died_ms = atof(rreply_string(rreply_at(reply, 2 * i + 1), NULL));

        /* another program may have put infinity there */
        json_array_append_new(letters, json_pack("{s:o, s:o}", "item", text_json(item, len), "died_ms",
                                                 isfinite(died_ms) ? json_real(died_ms) : json_null()));
    }
    if (count && queue->round->config)
        ask_reasons(queue, reply);
    heard(queue, err);
}

/* ---- figures ---- */

static void on_stats(void *arg, const struct rreply *reply, const struct err *err)
{
    struct look_queue *queue = arg;
    struct pgusher_queue_stats stats;
    char last[16];

    snprintf(last, sizeof(last), "%d", DEAD_LETTERS - 1);
    if (!err && queue->round->config && stats_read((const struct redisReply *)reply, &stats) == 0) {
        queue->json = queue_json(queue->name, &stats);
        if (queue->round->details && stats.dead)
            ask(queue, 5,
                (const char *const[]){"ZREVRANGE", queue->keys.name[KEY_DEAD], "0", last, "WITHSCORES"}, NULL,
                on_dead);
        pgusher_queue_stats_free(&stats);
    }
    heard(queue, err);
}

/* Without the consumers the script still tells which key is of a wrong type. */
static void on_consumers(void *arg, const struct rreply *reply, const struct err *err)
{
    struct look_queue *queue = arg;

    if (queue->round->config) {
        queue->round->pending++;
        script_send(stats_call_new(&queue->keys, err ? NULL : (const struct redisReply *)reply),
                    queue->round->rconn, on_stats, queue);
    }
    heard(queue, err && err->status != ST_REFUSED ? err : NULL);
}

void look_queue_ask(struct look_queue *queue)
{
    ask(queue, 4, (const char *const[]){"ZRANGE", queue->keys.name[KEY_CONSUMERS], "0", "-1"}, NULL,
        on_consumers);
}
