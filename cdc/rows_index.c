#include "cdc/rows_index.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/errands.h"
#include "cdc/rows_stretch.h"
#include "common/arena.h"
#include "common/mem.h"
#include "lua/scripts.h"

enum {
    HELD_BYTES = 1 << 20,             /* of documents; then they are put without waiting for the rest */
    MARGIN_MS = 24 * 60 * 60 * 1000,  /* an index outlives its documents by this */
    SUSPECT_MS = 24 * 60 * 60 * 1000, /* an index that nobody settles ends after this */
};

struct held {
    size_t subject;
    const char *key;
    int64_t expire_ms;
    struct buf fields;
    size_t nfields;
};

/* Documents that wait until their keys are in the index. */
struct lot {
    struct arena *arena;
    struct held *list;
    size_t count;
    size_t capacity;
    size_t bytes;
};

struct removal {
    const char *index_key;
    const char *key;
    int64_t version;
    bool kept;
};

struct rows_index {
    struct session *session;
    struct sink *sink;
    struct rows_index_handlers handlers;
    void *arg;
    struct errands *errands;
    struct err err;
    struct stretch *stretch; /* since the last settle */
    int64_t version;
    bool settling;
    struct ids *unsure; /* of the caller of suspect */
    struct lot held;
    struct lot flying; /* is being noted */
    /* until forget */
    struct arena *removed;
    struct removal *removals;
    size_t nremovals;
    size_t removals_capacity;
};

static void land(void *arg);

struct rows_index *rows_index_new(struct session *session, struct sink *sink,
                                  const struct rows_index_handlers *handlers, void *arg)
{
    struct rows_index *index = mem_zalloc(sizeof(*index));

    index->session = session;
    index->sink = sink;
    index->handlers = *handlers;
    index->arg = arg;
    index->errands = errands_new(session->rconn, land, index);
    index->stretch = stretch_new();
    index->held.arena = arena_new();
    index->flying.arena = arena_new();
    index->removed = arena_new();
    return index;
}

static void empty(struct lot *lot)
{
    arena_reset(lot->arena);
    lot->count = lot->bytes = 0;
}

static void end(struct rows_index *index)
{
    stretch_clear(index->stretch);
    index->settling = false;
    empty(&index->held);
    empty(&index->flying);
}

void rows_index_free(struct rows_index *index)
{
    if (!index)
        return;
    empty(&index->held);
    errands_free(index->errands);
    stretch_free(index->stretch);
    free(index->held.list);
    free(index->flying.list);
    free(index->removals);
    arena_free(index->held.arena);
    arena_free(index->flying.arena);
    arena_free(index->removed);
    free(index);
}

/* ---- noting ---- */

static void ask(struct rows_index *index, size_t number, size_t from)
{
    struct subject *subject = &index->stretch->subjects[number];
    struct script_call *call =
        errands_add(index->errands, subject->index_key, number, 3 + subject->count - from);

    script_arg_int(call, index->version);
    if (subject->expire_ms < 0)
        script_arg(call, "", 0);
    else
        script_arg_int(call, subject->expire_ms + MARGIN_MS);
    script_arg_int(call, (int64_t)(subject->count - from));
    for (size_t i = from; i < subject->count; i++)
        script_arg(call, subject->keys[i], strlen(subject->keys[i]));
    subject->noted = subject->count;
}

static bool is_own(const struct rows_index *index, const char *const *id, const char *key)
{
    const struct plan_projection *plan = index->stretch->projection;
    char *values[MAX_ID_COLUMNS];
    bool own = true;

    if (plan_key_rival(index->session->plan, plan, key, strlen(key)) ||
        plan_invert_key(plan, key, strlen(key), values) != 0)
        return false;
    for (size_t i = 0; i < plan->config->nid; i++) {
        own = own && strcmp(values[i], id[i]) == 0;
        free(values[i]);
    }
    return own;
}

static void remove_left_over(struct rows_index *index, size_t number, const struct rreply *reply)
{
    for (size_t i = 0; i < rreply_count(reply); i++) {
        size_t len;
        const char *key = rreply_string(rreply_at(reply, i), &len);
        const char *index_key = index->stretch->subjects[number].index_key;

        if (strlen(key) != len || !is_own(index, ids_get(index->stretch->ids, number), key))
            continue;
        index->removals =
            mem_grow(index->removals, index->nremovals, &index->removals_capacity, sizeof(*index->removals));
        index->removals[index->nremovals++] = (struct removal){
            .index_key = arena_copy(index->removed, index_key, strlen(index_key) + 1),
            .key = arena_copy(index->removed, key, len + 1),
            .version = index->version,
        };
        sink_remove(index->sink, index->stretch->projection, key, index->version);
        index->handlers.removed(index->arg, index->stretch->projection, key);
    }
}

static bool is_refused(struct rows_index *index, size_t number, const struct rreply *reply)
{
    struct subject *subject = &index->stretch->subjects[number];

    if (rreply_type(reply) != RREPLY_ERROR)
        return false;
    if (!subject->refused)
        index->handlers.refused(index->arg, index->stretch->projection,
                                subject->index_key + strlen(ROWS_INDEX_HEAD), rreply_string(reply, NULL));
    subject->refused = true;
    return true;
}

static void on_noted(void *arg, size_t subject, const struct rreply *reply)
{
    struct rows_index *index = arg;

    if (!is_refused(index, subject, reply) && index->settling)
        remove_left_over(index, subject, reply);
}

/* ---- documents ---- */

static void take_off(struct rows_index *index)
{
    struct lot empty_one = index->flying;

    index->flying = index->held;
    index->held = empty_one;
    errands_use(index->errands, &script_rows, on_noted);
    for (size_t i = 0; i < stretch_count(index->stretch); i++) {
        const struct subject *subject = &index->stretch->subjects[i];

        if (!subject->ambiguous && (index->settling || subject->noted < subject->count))
            ask(index, i, index->settling ? 0 : subject->noted);
    }
    errands_send(index->errands);
}

/* What was noted is put. */
static void land(void *arg)
{
    struct rows_index *index = arg;
    bool current = session_is_current(index->session) && !errands_failed(index->errands);

    for (size_t i = 0; current && i < index->flying.count; i++) {
        const struct held *held = &index->flying.list[i];

        if (!index->stretch->subjects[held->subject].refused)
            sink_put(index->sink, index->stretch->projection, held->key, index->version, held->expire_ms,
                     &held->fields, held->nfields);
    }
    empty(&index->flying);
    if (current && index->held.bytes > HELD_BYTES)
        take_off(index);
    else
        index->handlers.pressure(index->arg, false);
}

static void hold(struct lot *lot, size_t subject, const char *key, const struct document *document)
{
    struct buf fields = document->fields;

    fields.data = arena_copy(lot->arena, fields.data, fields.len);
    lot->list = mem_grow(lot->list, lot->count, &lot->capacity, sizeof(*lot->list));
    lot->list[lot->count++] = (struct held){subject, key, document->expire_ms, fields, document->nfields};
    lot->bytes += fields.len;
}

static const char *yield_key(struct rows_index *index, const struct plan_projection *projection,
                             const struct document *document, int64_t version, size_t *ret_subject)
{
    stretch_use(index->stretch, projection);
    index->version = version;
    *ret_subject = stretch_subject(index->stretch, document->id);
    return stretch_yield(index->stretch, *ret_subject, document->key.data, document->expire_ms);
}

void rows_index_spare(struct rows_index *index, const struct plan_projection *projection,
                      const struct document *document, int64_t version)
{
    size_t subject;

    yield_key(index, projection, document, version, &subject);
}

void rows_index_add(struct rows_index *index, const struct plan_projection *projection,
                    const struct document *document, int64_t version)
{
    size_t subject;
    const char *key = yield_key(index, projection, document, version, &subject);

    hold(&index->held, subject, key, document);
    if (index->held.bytes <= HELD_BYTES)
        return;
    if (errands_idle(index->errands))
        take_off(index);
    index->handlers.pressure(index->arg, true);
}

void rows_index_drop(struct rows_index *index)
{
    struct err ignored = ERR_NONE;

    empty(&index->held);
    if (errands_wait(index->errands, &ignored) != 0)
        err_copy(&index->err, &ignored);
    end(index);
}

int rows_index_settle(struct rows_index *index, const struct plan_projection *projection,
                      const struct ids *ids, size_t first, size_t count, int64_t version, struct err *err)
{
    stretch_use(index->stretch, projection);
    index->version = version;
    for (size_t i = first; i < first + count; i++)
        stretch_subject(index->stretch, ids_get(ids, i));
    if (errands_wait(index->errands, &index->err) == 0) {
        index->settling = true;
        take_off(index);
        errands_wait(index->errands, &index->err);
    }
    if (!session_is_current(index->session))
        err_copy(&index->err, &index->session->why_lost);
    end(index);
    if (index->err.status == ST_OK)
        return 0;
    err_copy(err, &index->err);
    return -1;
}

/* ---- suspects ---- */

static void on_suspected(void *arg, size_t subject, const struct rreply *reply)
{
    struct rows_index *index = arg;

    if (!is_refused(index, subject, reply) && rreply_integer(reply) == 1)
        ids_add(index->unsure, ids_get(index->stretch->ids, subject));
}

int rows_index_suspect(struct rows_index *index, const struct plan_projection *projection,
                       const struct ids *keys, int64_t since, struct ids *ids, struct err *err)
{
    int result;

    stretch_use(index->stretch, projection);
    index->unsure = ids;
    for (size_t i = 0; i < ids_count(keys); i++) {
        const char *key = ids_get(keys, i)[0];
        int64_t subject = stretch_subject_of_key(index->stretch, key);

        if (subject >= 0)
            stretch_yield(index->stretch, (size_t)subject, key, 0);
    }
    errands_use(index->errands, &script_rows_suspect, on_suspected);
    for (size_t i = 0; i < stretch_count(index->stretch); i++) {
        const struct subject *subject = &index->stretch->subjects[i];
        struct script_call *call = errands_add(index->errands, subject->index_key, i, 3 + subject->count);

        script_arg_int(call, SUSPECT_MS);
        script_arg_int(call, since);
        script_arg_int(call, (int64_t)subject->count);
        for (size_t j = 0; j < subject->count; j++)
            script_arg(call, subject->keys[j], strlen(subject->keys[j]));
    }
    result = errands_wait(index->errands, err);
    end(index);
    return result;
}

/* ---- forgetting ---- */

void rows_index_keep(struct rows_index *index, const char *key)
{
    for (size_t i = 0; i < index->nremovals; i++)
        if (strcmp(index->removals[i].key, key) == 0)
            index->removals[i].kept = true;
}

static void on_forgotten(void *arg, size_t subject, const struct rreply *reply)
{
    (void)arg;
    (void)subject;
    (void)reply;
}

int rows_index_forget(struct rows_index *index, struct err *err)
{
    errands_use(index->errands, &script_rows_forget, on_forgotten);
    for (size_t i = 0; i < index->nremovals; i++) {
        const struct removal *removal = &index->removals[i];
        struct script_call *call;

        if (removal->kept)
            continue;
        call = errands_add(index->errands, removal->index_key, i, 3);
        script_arg(call, removal->key, strlen(removal->key));
        script_arg_int(call, removal->version);
    }
    if (errands_wait(index->errands, err) != 0)
        return -1;
    index->nremovals = 0;
    arena_reset(index->removed);
    return 0;
}
