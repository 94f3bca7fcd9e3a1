/* Records in use: cursors are read and saved, and looked after. See beside.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/beside_private.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/script_send.h"
#include "lua/scripts.h"

enum { SAVED = 1, NOT_THIS_DATASET = 0, HIGHER_EPOCH = -1 };

/* A call for every record, and what came back. */
struct round {
    struct session *session;
    size_t left;
    bool done;
    bool looking; /* nobody waits: the outcome goes to the session */
    int64_t sent_at_ms;
    struct err err;
};

/* ---- one after the other ---- */

int beside_cursors(struct session *session, const struct parts *parts, beside_cursors_fn *fn, void *arg,
                   struct err *err)
{
    for (size_t i = 0; i < session->records.count; i++) {
        const char *words[2 + MAX_PARTITIONS] = {"HMGET"};
        char names[MAX_PARTITIONS][8];
        struct rreply *reply;

        for (size_t j = 0; j < parts->count; j++) {
            snprintf(names[j], sizeof(names[j]), "p%d", parts->list[j]);
            words[2 + j] = names[j];
        }
        reply = record_run(session, session->records.routes[i], (int)(2 + parts->count), words, err);
        if (!reply)
            return -1;
        for (size_t j = 0; j < parts->count; j++)
            fn(arg, parts->list[j], record_text(reply, j));
        rreply_free(reply);
    }
    return 0;
}

int beside_field(struct session *session, const char *name, beside_note_fn *fn, void *arg, struct err *err)
{
    for (size_t i = 0; i < session->records.count; i++) {
        const char *words[] = {"HMGET", NULL, name};
        struct rreply *reply = record_run(session, session->records.routes[i], 3, words, err);

        if (!reply)
            return -1;
        fn(arg, record_text(reply, 0));
        rreply_free(reply);
    }
    return 0;
}

int beside_notes(struct session *session, const char *projection, beside_note_fn *fn, void *arg,
                 struct err *err)
{
    char *name = note_name(projection);
    int result = beside_field(session, name, fn, arg, err);

    free(name);
    return result;
}

int beside_wait(struct session *session, bool *ret_enough, struct err *err)
{
    char replicas[16], timeout[24];

    *ret_enough = true;
    snprintf(replicas, sizeof(replicas), "%d", session->config->wait_replicas);
    snprintf(timeout, sizeof(timeout), "%lld", (long long)session->config->wait_timeout_ms);
    for (size_t i = 0; i < rconn_primaries(session->rconn) && *ret_enough; i++) {
        const char *const words[] = {"WAIT", replicas, timeout};
        int route = rconn_primary_route(session->rconn, i);
        struct rreply *reply = rconn_run(session->rconn, route, 3, words, err);

        if (!reply)
            return -1;
        *ret_enough = rreply_integer(reply) >= session->config->wait_replicas;
        rreply_free(reply);
    }
    return 0;
}

/* ---- all records at once ---- */

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
        if (round->err.status == ST_OK)
            round->session->looked_at_ms = round->sent_at_ms;
        if (round->err.status == ST_LOST)
            session_lose(round->session, &round->err);
    }
    free(round);
}

/* `fields`: names and values to be set in the record. */
static void send_round(struct round *round, const struct words *fields)
{
    struct session *session = round->session;

    round->left = session->records.count;
    for (size_t i = 0, n = round->left; i < n; i++) {
        struct script_call *call = script_call_new(&script_fleet);
        char *key = record_key(session, session->records.routes[i]);
        char *alive = alive_key(session, session->records.routes[i]);

        script_key(call, key, strlen(key));
        script_key(call, alive, strlen(alive));
        script_arg(call, session->dataset, strlen(session->dataset));
        script_arg_int(call, session->epoch);
        script_arg_int(call, session->ordinal);
        script_arg(call, session->database, strlen(session->database));
        script_args_raw(call, &fields->text, fields->count);
        script_send(call, session->rconn, on_answer, round);
        free(key);
        free(alive);
    }
}

static int save(struct session *session, const struct words *fields, struct err *err)
{
    struct round round = {.session = session, .err = ERR_NONE};

    send_round(&round, fields);
    loop_run_until(session->loop, &round.done);
    if (round.err.status == ST_OK)
        return 0;
    err_copy(err, &round.err);
    return -1;
}

int beside_save(struct session *session, const struct position *position, struct err *err)
{
    struct words fields = {0};
    int result;

    for (size_t i = 0; i < position->parts.count; i++)
        words_put_cursor(&fields, position->parts.list[i], &position->cursor);
    result = save(session, &fields, err);
    words_free(&fields);
    return result;
}

int beside_set_field(struct session *session, const char *name, const char *text, struct err *err)
{
    struct words fields = {0};
    int result;

    words_put_pair(&fields, name, text);
    result = save(session, &fields, err);
    words_free(&fields);
    return result;
}

int beside_note(struct session *session, const char *projection, const char *text, struct err *err)
{
    char *name = note_name(projection);
    int result = beside_set_field(session, name, text, err);

    free(name);
    return result;
}

void beside_look(struct session *session)
{
    struct words none = {0};
    struct round *round;

    if (session->looking || !rconn_is_up(session->rconn) || session->records.count == 0)
        return;
    round = mem_zalloc(sizeof(*round));
    round->session = session;
    round->looking = true;
    round->sent_at_ms = clock_boot_ms();
    session->looking = round;
    send_round(round, &none);
}

void beside_forget(struct session *session)
{
    if (session->looking)
        session->looking->session = NULL;
    session->looking = NULL;
}
