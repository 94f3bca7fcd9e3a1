/* native_settle: what an ack, a nack or a release must do follows from what Redis held just before it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/queue_model/expect.h"
#include "tests/queue_model/fault.h"
#include "tests/queue_model/native.h"
#include "tests/queue_model/report.h"

enum { LOOK_CLOSELY_PERCENT = 20 };

struct settling {
    struct world *world;
    struct handle *handle;
    struct holding *holding;
    enum verdict verdict;
    size_t index[MAX_BATCH]; /* what it is about */
    size_t count;
    bool held[MAX_BATCH]; /* of the whole holding: held under its token just now */
    size_t nheld;
    int64_t delay_ms;
    bool with_reserve; /* then half of it may have failed */
};

static void resolve_choice(struct settling *settling, const struct choice *choice)
{
    settling->count = 0;
    if (!choice->all) {
        memcpy(settling->index, choice->index, sizeof(settling->index));
        settling->count = choice->count;
        return;
    }
    for (size_t i = 0; i < settling->holding->count; i++) {
        if (!pgusher_queue_batch_settled(settling->holding->batch, i))
            settling->index[settling->count++] = i;
    }
}

static bool is_held(const struct settling *settling, size_t i)
{
    struct pgusher_queue_item item = doc_item(settling->holding->docs[i]);
    redisReply *holder = world_redis(settling->world, "HGET " QUEUE ":inflight %b", item.data, item.len);
    char expected[160];
    bool same;

    snprintf(expected, sizeof(expected), "%" PRIu64 " %48s", settling->holding->token,
             pgusher_queue_consumer(settling->handle->queue));
    same = holder->type == REDIS_REPLY_STRING && strcmp(holder->str, expected) == 0;
    freeReplyObject(holder);
    return same;
}

/* A consumer whose lease never ran out still holds what it was given. */
static bool look_who_holds(struct settling *settling)
{
    settling->nheld = 0;
    for (size_t k = 0; k < settling->count; k++) {
        size_t i = settling->index[k];
        const struct holding *holding = settling->holding;

        settling->held[i] = is_held(settling, i);
        settling->nheld += settling->held[i];
        if (!settling->held[i] && !holding->lapsed && !holding->gone[i])
            return world_broken(settling->world, "7: event:%d was taken from %s, whose lease runs",
                                holding->docs[i], pgusher_queue_consumer(settling->handle->queue));
    }
    return true;
}

static void index_documents(struct settling *settling)
{
    native_read(settling->world, settling->holding);
    for (size_t k = 0; k < settling->count; k++) {
        size_t i = settling->index[k];
        struct doc *doc = &settling->world->docs[settling->holding->docs[i]];

        if (settling->holding->read[i] > doc->indexed)
            doc->indexed = settling->holding->read[i];
    }
}

static int call(struct settling *settling, const size_t *indexes, size_t count)
{
    struct pgusher_queue *queue = settling->handle->queue;
    struct pgusher_queue_batch *batch = settling->holding->batch;
    struct pgusher_queue_acked acked = {0, 0, 0};
    int done;

    if (settling->verdict == VERDICT_NACK)
        return pgusher_queue_nack(queue, batch, indexes, count, "the model says no", settling->delay_ms);
    if (settling->verdict == VERDICT_RELEASE)
        return pgusher_queue_release(queue, batch, indexes, count);
    done = pgusher_queue_ack(queue, batch, indexes, count, &acked);
    world_count(EVENT_REQUEUED, acked.requeued);
    if (done >= 0 && ((size_t)done != acked.acked || acked.acked + acked.stale != settling->count))
        world_broken(settling->world, "ack of %zu: %d done, %zu acked, %zu stale", settling->count, done,
                     acked.acked, acked.stale);
    return done;
}

static void note_effect(struct settling *settling, size_t i)
{
    struct doc *doc = &settling->world->docs[settling->holding->docs[i]];

    settling->holding->gone[i] = true;
    if (settling->verdict == VERDICT_NACK)
        doc->failures++;
    if (settling->verdict == VERDICT_ACK)
        native_begin_anew(settling->world, settling->holding->docs[i]);
}

static void note_effects(struct settling *settling)
{
    for (size_t k = 0; k < settling->count; k++) {
        if (settling->held[settling->index[k]])
            note_effect(settling, settling->index[k]);
    }
}

/* It happened wholly or not at all. */
static bool find_out_what_happened(struct settling *settling)
{
    size_t still = 0;

    for (size_t k = 0; k < settling->count; k++)
        still += is_held(settling, settling->index[k]);
    if (still != 0 && still != settling->nheld)
        return world_broken(settling->world, "half of a settling happened: %zu of %zu",
                            settling->nheld - still, settling->nheld);
    if (still == 0)
        note_effects(settling);
    for (size_t k = 0; k < settling->count; k++) {
        if (pgusher_queue_batch_settled(settling->holding->batch, settling->index[k]) &&
            !settling->with_reserve)
            return world_broken(settling->world, "the answer was lost, and the item counts as settled");
    }
    return true;
}

static bool check_result(struct settling *settling, int done)
{
    if (done != (int)settling->nheld)
        return world_broken(settling->world, "settling says %d items, and %zu were held", done,
                            settling->nheld);
    for (size_t k = 0; k < settling->count; k++) {
        if (!pgusher_queue_batch_settled(settling->holding->batch, settling->index[k]))
            return world_broken(settling->world, "item %zu was settled, and the batch does not know",
                                settling->index[k]);
    }
    note_effects(settling);
    world_count(EVENT_SETTLED, settling->nheld);
    world_count(EVENT_STALE, settling->count - settling->nheld);
    return true;
}

static void forget_settled_holding(struct handle *handle, struct holding *holding)
{
    for (size_t i = 0; i < holding->count; i++) {
        if (!pgusher_queue_batch_settled(holding->batch, i))
            return;
    }
    pgusher_queue_batch_free(holding->batch);
    *holding = handle->holdings[--handle->nholdings];
}

/* Compares all keys before and after: nothing held, nothing changed (10); else just that. */
static bool call_and_compare(struct settling *settling, const size_t *indexes, size_t count)
{
    static struct snapshot before, after;
    struct world *world = settling->world;
    bool closely = settling->nheld > 0 && world_percent(world, LOOK_CLOSELY_PERCENT);
    char digest[41], digest_after[41];
    int done;

    if (settling->nheld == 0)
        world_digest(world, digest);
    if (closely)
        snapshot_take(world, &before);
    done = call(settling, indexes, count);
    if (settling->nheld == 0) {
        world_digest(world, digest_after);
        if (strcmp(digest, digest_after) != 0)
            return world_broken(world, "10: a settling with a stale token changed something");
    }
    if (done < 0)
        return native_lost(world, settling->handle->queue, "settling") && find_out_what_happened(settling);
    if (closely) {
        snapshot_take(world, &after);
        expect_settled(world, &before, &after, settling->holding, settling->held, settling->verdict,
                       settling->delay_ms);
    }
    return check_result(settling, done);
}

bool native_settle(struct world *world, struct handle *handle, struct holding *holding, enum verdict verdict,
                   const struct choice *choice, int64_t delay_ms)
{
    struct settling settling = {
        .world = world, .handle = handle, .holding = holding, .verdict = verdict, .delay_ms = delay_ms};

    resolve_choice(&settling, choice);
    if (settling.count == 0 || !look_who_holds(&settling))
        return !world->broken;
    if (verdict == VERDICT_ACK)
        index_documents(&settling);
    if (!call_and_compare(&settling, choice->all ? NULL : choice->index, choice->count))
        return false;
    forget_settled_holding(handle, holding);
    return !world->broken;
}

/* What an ack in the same breath as a reserve did is seen in the keys: its figures go with an error. */
struct holding *native_ack_reserve(struct world *world, struct handle *handle, struct holding *holding,
                                   size_t max)
{
    struct settling settling = {.world = world, .handle = handle, .holding = holding, .with_reserve = true};
    struct pgusher_queue_acked acked = {0, 0, 0};
    struct pgusher_queue_batch *batch = NULL;
    int count;

    resolve_choice(&settling, &(struct choice){.all = true});
    if (!look_who_holds(&settling))
        return NULL;
    index_documents(&settling);
    count = pgusher_queue_ack_reserve(handle->queue, holding->batch, max, &batch, &acked);
    if (count < 0) {
        handle->unsure = true;
        if (native_lost_renewal(world, handle, "ack_reserve"))
            find_out_what_happened(&settling);
    } else {
        check_result(&settling, (int)acked.acked);
    }
    forget_settled_holding(handle, holding);
    return count < 0 ? NULL : native_take(world, handle, batch, count, max);
}
