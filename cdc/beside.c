#include "cdc/beside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/script_send.h"
#include "lua/scripts.h"

enum { SAVED = 1, NOT_THIS_DATASET = 0, HIGHER_EPOCH = -1 };

/* A call to every primary, and what came back. */
struct round {
    struct session *session;
    size_t left;
    bool done;
    bool looking; /* nobody waits: the outcome goes to the session */
    struct err err;
};

static int route_of(const struct session *session, size_t primary)
{
    return rconn_primary_route(session->rconn, primary);
}

static char *record_key(const struct session *session, size_t primary)
{
    const char *tag = rconn_route_tag(session->rconn, route_of(session, primary));

    return tag ? mem_printf("pgusher:fleet:%s:{%s}", session->config->fleet, tag)
               : mem_printf("pgusher:fleet:%s", session->config->fleet);
}

/* ---- reading, one primary after the other ---- */

static struct rreply *ask(struct session *session, size_t primary, int argc, const char **words,
                          struct err *err)
{
    char *key = record_key(session, primary);
    struct rreply *reply;

    words[1] = key;
    reply = rconn_run(session->rconn, route_of(session, primary), argc, words, err);
    free(key);
    return reply;
}

static const char *text_at(const struct rreply *reply, size_t index)
{
    const struct rreply *item = rreply_at(reply, index);

    return rreply_type(item) == RREPLY_STRING ? rreply_string(item, NULL) : NULL;
}

static void take_record(struct beside *beside, size_t primary, const struct rreply *reply)
{
    const char *dataset = text_at(reply, 0), *ordinal = text_at(reply, 1), *epoch = text_at(reply, 2);
    bool same = primary == 0 || (dataset && beside->dataset && strcmp(dataset, beside->dataset) == 0);

    if (primary == 0 && dataset)
        beside->dataset = mem_strdup(dataset);
    if (!same) {
        free(beside->dataset);
        beside->dataset = NULL;
    }
    if (ordinal && atoll(ordinal) > beside->ordinal)
        beside->ordinal = atoll(ordinal);
    if (epoch && atoll(epoch) > beside->epoch)
        beside->epoch = atoll(epoch);
}

int beside_read(struct session *session, struct beside *ret_beside, struct err *err)
{
    *ret_beside = (struct beside){.epoch = -1};
    for (size_t i = 0; i < rconn_primaries(session->rconn); i++) {
        const char *words[] = {"HMGET", NULL, "dataset", "ordinal", "epoch"};
        struct rreply *reply = ask(session, i, 5, words, err);

        if (!reply) {
            free(ret_beside->dataset);
            return -1;
        }
        take_record(ret_beside, i, reply);
        rreply_free(reply);
    }
    return 0;
}

int beside_cursors(struct session *session, const struct parts *parts, beside_cursors_fn *fn, void *arg,
                   struct err *err)
{
    for (size_t i = 0; i < rconn_primaries(session->rconn); i++) {
        const char *words[2 + MAX_PARTITIONS] = {"HMGET"};
        char names[MAX_PARTITIONS][8];
        struct rreply *reply;

        for (size_t j = 0; j < parts->count; j++) {
            snprintf(names[j], sizeof(names[j]), "p%d", parts->list[j]);
            words[2 + j] = names[j];
        }
        reply = ask(session, i, (int)(2 + parts->count), words, err);
        if (!reply)
            return -1;
        for (size_t j = 0; j < parts->count; j++)
            fn(arg, parts->list[j], text_at(reply, j));
        rreply_free(reply);
    }
    return 0;
}

static void put_word(struct buf *command, const char *word)
{
    resp_put_bulk(command, word, strlen(word));
}

static void put_record(struct buf *command, const struct session *session, const char *key,
                       const char *dataset, const struct cursor *cursors)
{
    char number[24], name[16];

    buf_printf(command, "*%d\r\n", 8 + 2 * session->partitions);
    snprintf(number, sizeof(number), "%lld", (long long)session->epoch);
    put_word(command, "HSET");
    put_word(command, key);
    put_word(command, "dataset");
    put_word(command, dataset);
    put_word(command, "epoch");
    put_word(command, number);
    put_word(command, "ordinal");
    put_word(command, "0");
    for (int i = 0; i < session->partitions; i++) {
        char *cursor = cursor_encode(&cursors[i]);

        snprintf(name, sizeof(name), "p%d", i);
        put_word(command, name);
        put_word(command, cursor);
        free(cursor);
    }
}

static int begin_record(struct session *session, size_t primary, const char *dataset,
                        const struct cursor *cursors, struct err *err)
{
    char *key = record_key(session, primary);
    struct buf command = BUF_NONE;
    struct rreply *reply;

    put_record(&command, session, key, dataset, cursors);
    reply = rconn_run_raw(session->rconn, route_of(session, primary), command.data, command.len, err);
    rreply_free(reply);
    buf_free(&command);
    free(key);
    return reply ? 0 : -1;
}

int beside_begin(struct session *session, const char *dataset, const struct cursor *cursors, struct err *err)
{
    for (size_t i = 0; i < rconn_primaries(session->rconn); i++)
        if (begin_record(session, i, dataset, cursors, err) != 0)
            return -1;
    return 0;
}

int beside_wait(struct session *session, bool *ret_enough, struct err *err)
{
    char replicas[16], timeout[24];

    *ret_enough = true;
    snprintf(replicas, sizeof(replicas), "%d", session->config->wait_replicas);
    snprintf(timeout, sizeof(timeout), "%lld", (long long)session->config->wait_timeout_ms);
    for (size_t i = 0; i < rconn_primaries(session->rconn) && *ret_enough; i++) {
        const char *const words[] = {"WAIT", replicas, timeout};
        struct rreply *reply = rconn_run(session->rconn, route_of(session, i), 3, words, err);

        if (!reply)
            return -1;
        *ret_enough = rreply_integer(reply) >= session->config->wait_replicas;
        rreply_free(reply);
    }
    return 0;
}

/* ---- writing, all primaries at once ---- */

static void judge(struct round *round, int64_t answer)
{
    if (answer == NOT_THIS_DATASET)
        err_set(&round->err, ST_LOST,
                "the contents of Redis are not what they were: flushed, replaced or taken over by another "
                "worker");
    else if (answer == HIGHER_EPOCH)
        err_set(&round->err, ST_LOST, "another history of PostgreSQL is in force: this is a former primary");
}

static void on_answer(void *arg, const struct rreply *reply, const struct err *err)
{
    struct round *round = arg;

    if (err)
        err_copy(&round->err, err);
    else
        judge(round, rreply_integer(reply));
    round->done = --round->left == 0;
    if (!round->done || !round->looking)
        return;
    if (round->session) {
        round->session->looking = NULL;
        if (round->err.status == ST_LOST)
            session_lose(round->session, &round->err);
    }
    free(round);
}

static void add_cursors(struct script_call *call, const struct position *position)
{
    char *text = cursor_encode(&position->cursor);

    for (size_t i = 0; i < position->parts.count; i++) {
        char name[8];

        snprintf(name, sizeof(name), "p%d", position->parts.list[i]);
        script_arg(call, name, strlen(name));
        script_arg(call, text, strlen(text));
    }
    free(text);
}

static void send_round(struct round *round, const struct position *position)
{
    struct session *session = round->session;

    round->left = rconn_primaries(session->rconn);
    for (size_t i = 0, n = round->left; i < n; i++) {
        struct script_call *call = script_call_new(&script_fleet);
        char *key = record_key(session, i);

        script_key(call, key, strlen(key));
        script_arg(call, session->dataset, strlen(session->dataset));
        script_arg_int(call, session->epoch);
        script_arg_int(call, session->ordinal);
        if (position)
            add_cursors(call, position);
        script_send(call, session->rconn, on_answer, round);
        free(key);
    }
}

int beside_save(struct session *session, const struct position *position, struct err *err)
{
    struct round round = {.session = session, .err = ERR_NONE};

    send_round(&round, position);
    loop_run_until(session->loop, &round.done);
    if (round.err.status == ST_OK)
        return 0;
    err_copy(err, &round.err);
    return -1;
}

void beside_look(struct session *session)
{
    struct round *round;

    if (session->looking || !rconn_is_up(session->rconn))
        return;
    round = mem_zalloc(sizeof(*round));
    round->session = session;
    round->looking = true;
    session->looking = round;
    send_round(round, NULL);
}

void beside_forget(struct session *session)
{
    if (session->looking)
        session->looking->session = NULL;
    session->looking = NULL;
}
