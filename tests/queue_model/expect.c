#include "tests/queue_model/expect.h"

#include "tests/queue_model/report.h"

static bool is_nowhere_held(struct world *world, const struct place *after, int doc)
{
    if (after->held || after->dirty)
        return world_broken(world, "event:%d was settled, and is still %s", doc,
                            after->held ? "in flight" : "dirty");
    return true;
}

/* A dirty item goes round once more, and only a dirty one. */
static bool expect_acked(struct world *world, const struct place *before, const struct place *after, int doc)
{
    bool again = before->dirty && (!world->config->coalesce || !before->waiting || world->inexact);
    int more = after->waiting - before->waiting;

    if (more != again && !(world->inexact && more == 0 && before->waiting))
        return world_broken(world, "9: event:%d was acked %s, and %s", doc, before->dirty ? "dirty" : "clean",
                            after->waiting ? "waits" : "waits not");
    if (after->failed)
        return world_broken(world, "event:%d was acked, and its failures stay", doc);
    return true;
}

/* At the limit, or buried, it dies; never when it changed meanwhile. */
static bool expect_nacked(struct world *world, const struct place *before, const struct place *after, int doc,
                          int64_t delay_ms)
{
    bool dies = !before->dirty &&
                (delay_ms == PGUSHER_QUEUE_BURY || before->failures + 1 >= world->config->max_failures);

    if (after->dead != dies || after->delayed == dies)
        return world_broken(world, "event:%d failed for the %d. time, %s: dead %d, delayed %d", doc,
                            before->failures + 1, before->dirty ? "dirty" : "clean", after->dead,
                            after->delayed);
    if (after->failures != before->failures + 1 || after->crashes != before->crashes)
        return world_broken(world, "12: event:%d failed: %d/%d became %d/%d", doc, before->failures,
                            before->crashes, after->failures, after->crashes);
    return true;
}

/* At the front, but for what is released in the same call. */
static bool expect_released(struct world *world, const struct place *before, const struct place *after,
                            const struct holding *holding, int doc)
{
    if (after->waiting == 0 || (!before->waiting && after->position >= (int)holding->count))
        return world_broken(world, "event:%d was released, and is at place %d", doc, after->position);
    if (after->failures != before->failures || after->crashes != before->crashes)
        return world_broken(world, "12: event:%d was released: %d/%d became %d/%d", doc, before->failures,
                            before->crashes, after->failures, after->crashes);
    return true;
}

static bool expect_one(struct world *world, const struct place *before, const struct place *after,
                       const struct holding *holding, size_t i, enum verdict verdict, int64_t delay_ms)
{
    int doc = holding->docs[i];

    if (!is_nowhere_held(world, after, doc))
        return false;
    switch (verdict) {
    case VERDICT_ACK:
        return expect_acked(world, before, after, doc);
    case VERDICT_NACK:
        return expect_nacked(world, before, after, doc, delay_ms);
    case VERDICT_RELEASE:
        return expect_released(world, before, after, holding, doc);
    }
    return false;
}

bool expect_settled(struct world *world, const struct snapshot *before, const struct snapshot *after,
                    const struct holding *holding, const bool *held, enum verdict verdict, int64_t delay_ms)
{
    for (size_t i = 0; i < holding->count; i++) {
        int doc = holding->docs[i];

        if (held[i] &&
            !expect_one(world, &before->docs[doc], &after->docs[doc], holding, i, verdict, delay_ms))
            return false;
    }
    return true;
}

static enum pgusher_queue_pushed outcome_for(const struct place *place)
{
    if (place->held)
        return PGUSHER_QUEUE_DIRTY;
    if (place->waiting || place->later)
        return PGUSHER_QUEUE_COALESCED;
    if (place->delayed)
        return PGUSHER_QUEUE_JOINED;
    return place->dead ? PGUSHER_QUEUE_REVIVED : PGUSHER_QUEUE_QUEUED;
}

bool expect_pushed(struct world *world, const struct snapshot *before, const int *docs, size_t count,
                   const enum pgusher_queue_pushed *outcomes)
{
    for (size_t i = 0; i < count; i++) {
        enum pgusher_queue_pushed expected = outcome_for(&before->docs[docs[i]]);

        if (outcomes[i] != expected)
            return world_broken(world, "push of event:%d says %d, and should %d", docs[i], outcomes[i],
                                expected);
    }
    return true;
}
