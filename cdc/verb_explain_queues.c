/* Where a document's key is in the queues. Each look is O(1), or bounded. See verb_explain.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/verb_explain.h"
#include "common/clock.h"
#include "common/mem.h"
#include "queue/keys.h"

#define SEARCHED "10000" /* places from the front, in a queue without marks */

enum { PLACE_BYTES = 6 };
static const int64_t place_offset = INT64_C(1) << 40; /* as in lua/parts/waiting.lua */

/* One item in one queue. */
struct look {
    struct rconn *rconn;
    struct queue_keys keys;
    const char *item;
    json_t *entry; /* "queue", "state", and what belongs to it */
    struct err *err;
};

/* NULL when it failed: look->err says why. */
static struct rreply *ask(const struct look *look, int argc, const char *const *words)
{
    const char *queue = look->keys.name[KEY_WAITING];

    return look->err->status == ST_OK ? rconn_run(look->rconn, rconn_route(look->rconn, queue, strlen(queue)),
                                                  argc, words, look->err)
                                      : NULL;
}

/* The text of the item in one of the queue's hashes or sorted sets; NULL: it is not there. */
static char *ask_text(const struct look *look, const char *command, enum queue_key key, size_t *ret_len)
{
    struct rreply *reply = ask(look, 3, (const char *const[]){command, look->keys.name[key], look->item});
    char *text = NULL;
    size_t len = 0;

    if (reply && rreply_type(reply) == RREPLY_STRING) {
        const char *found = rreply_string(reply, &len);

        text = mem_strndup(found, len);
    }
    rreply_free(reply);
    if (ret_len)
        *ret_len = len;
    return text;
}

static int64_t ask_integer(const struct look *look, int argc, const char *const *words)
{
    struct rreply *reply = ask(look, argc, words);
    int64_t value = -1;

    if (reply && rreply_type(reply) == RREPLY_INTEGER)
        value = rreply_integer(reply);
    else if (reply && rreply_type(reply) == RREPLY_STRING)
        value = atoll(rreply_string(reply, NULL));
    rreply_free(reply);
    return value;
}

static void set_state(const struct look *look, const char *state)
{
    json_object_set_new(look->entry, "state", json_string(state));
}

/* ---- waiting ---- */

static bool stands_at(const struct look *look, int64_t from_front)
{
    char index[24];
    struct rreply *reply;
    bool is_it;

    snprintf(index, sizeof(index), "%lld", -(long long)from_front - 1);
    reply = ask(look, 3, (const char *const[]){"LINDEX", look->keys.name[KEY_WAITING], index});
    is_it =
        reply && rreply_type(reply) == RREPLY_STRING && strcmp(rreply_string(reply, NULL), look->item) == 0;
    rreply_free(reply);
    return is_it;
}

/* As waiting.by_mark in lua/parts/waiting.lua. -1: it does not wait. */
static int64_t place_by_mark(const struct look *look)
{
    size_t len;
    char *mark = ask_text(look, "HGET", KEY_MARKS, &len);
    int64_t place = 0, length, seq;

    if (!mark || len != PLACE_BYTES) {
        free(mark);
        return -1;
    }
    for (int i = 0; i < PLACE_BYTES; i++)
        place = place << 8 | (unsigned char)mark[i];
    free(mark);
    length = ask_integer(look, 2, (const char *const[]){"LLEN", look->keys.name[KEY_WAITING]});
    seq = ask_integer(look, 3, (const char *const[]){"HGET", look->keys.name[KEY_META], "seq"});
    place -= place_offset + seq - length + 1;
    return place >= 0 && stands_at(look, place) ? place : -1;
}

/* Behind how many others it waits; -1: it does not, as far as was searched. */
static int64_t find_waiting(const struct look *look)
{
    int64_t place = place_by_mark(look), from_back, length;

    if (place >= 0 || look->err->status != ST_OK)
        return place;
    from_back = ask_integer(look, 7,
                            (const char *const[]){"LPOS", look->keys.name[KEY_WAITING], look->item, "RANK",
                                                  "-1", "MAXLEN", SEARCHED});
    length = ask_integer(look, 2, (const char *const[]){"LLEN", look->keys.name[KEY_WAITING]});
    return from_back >= 0 ? length - 1 - from_back : -1;
}

static bool see_waiting(const struct look *look)
{
    int64_t behind = find_waiting(look);

    if (behind < 0)
        return false;
    set_state(look, "waiting");
    json_object_set_new(look->entry, "behind", json_integer(behind));
    return true;
}

/* ---- elsewhere ---- */

/* "token consumer", as in lua/parts/holder.lua. */
static bool see_in_flight(const struct look *look)
{
    char *holder = ask_text(look, "HGET", KEY_INFLIGHT, NULL);
    const char *consumer = holder ? strrchr(holder, ' ') : NULL;

    if (!holder)
        return false;
    set_state(look, "in flight");
    json_object_set_new(
        look->entry, "consumer",
        explain_text(consumer ? consumer + 1 : holder, strlen(consumer ? consumer + 1 : holder)));
    json_object_set_new(
        look->entry, "changed_meanwhile",
        json_boolean(
            ask_integer(look, 3,
                        (const char *const[]){"SISMEMBER", look->keys.name[KEY_DIRTY], look->item}) == 1));
    free(holder);
    return true;
}

/* Since, or until, a moment. */
static bool see_at(const struct look *look, enum queue_key key, const char *state, const char *seconds)
{
    char *ms = ask_text(look, "ZSCORE", key, NULL);

    if (!ms)
        return false;
    set_state(look, state);
    json_object_set_new(look->entry, seconds, json_real((double)llabs(atoll(ms) - clock_wall_ms()) / 1000));
    free(ms);
    return true;
}

/* "failures crashes when reason", as in lua/parts/failures.lua. */
static void note_failures(const struct look *look)
{
    char *record = ask_text(look, "HGET", KEY_FAILURES, NULL);
    int failures, crashes, reason = 0;

    if (record && sscanf(record, "%d %d %*s %n", &failures, &crashes, &reason) == 2 && reason) {
        json_object_set_new(look->entry, "failures", json_integer(failures));
        json_object_set_new(look->entry, "crashes", json_integer(crashes));
        json_object_set_new(look->entry, "reason", explain_text(record + reason, strlen(record + reason)));
    }
    free(record);
}

static void see(const struct look *look)
{
    if (!see_in_flight(look) && !see_waiting(look) && !see_at(look, KEY_DEAD, "dead", "seconds_ago") &&
        !see_at(look, KEY_DELAYED, "delayed", "due_in_seconds") &&
        !see_at(look, KEY_LATER, "later", "waits_seconds"))
        set_state(look, "not in it");
    note_failures(look);
}

int explain_queues(struct story *story, const struct subject *subject, struct err *err)
{
    json_t *queues = json_array();

    json_object_set_new(subject->facts, "queues", queues);
    for (size_t i = 0; i < story->config->nqueues && err->status == ST_OK; i++) {
        struct look look = {.rconn = story->session->rconn, .item = subject->key.data, .err = err};

        look.entry = json_pack("{s:s}", "queue", story->config->queues[i]);
        json_array_append_new(queues, look.entry);
        queue_keys_init(&look.keys, story->config->queues[i]);
        see(&look);
        queue_keys_free(&look.keys);
    }
    return err->status == ST_OK ? 0 : -1;
}
