#include "tests/queue_model/invariants.h"

#include <inttypes.h>
#include <string.h>

#include "tests/queue_model/report.h"

static const struct handle *handle_named(const struct world *world, const char *name)
{
    for (size_t i = 0; i < world->nhandles; i++) {
        const struct handle *handle = &world->handles[i];

        if (handle->queue && strcmp(pgusher_queue_consumer(handle->queue), name) == 0)
            return handle;
    }
    return NULL;
}

/* ---- 1 and 9: no change is lost ---- */

/* The version that the holder of the document has read, -1 when it has read none yet. */
static int64_t version_read(const struct world *world, const struct place *place, int doc)
{
    const struct handle *handle = handle_named(world, place->holder);

    for (size_t i = 0; handle && i < handle->nholdings; i++) {
        const struct holding *holding = &handle->holdings[i];

        for (size_t j = 0; holding->token == place->token && j < holding->count; j++) {
            if (holding->docs[j] == doc)
                return holding->read[j];
        }
    }
    return -1;
}

/* Copies that plain consumers will still read, or whose reader has died. */
static int plain_to_come(const struct world *world, const struct place *place, int doc)
{
    int copies = place->plain;

    for (int i = 0; i < MAX_PLAIN; i++) {
        const struct plain *plain = &world->plains[i];

        copies -= plain->doc == doc && plain->read >= 0 && plain->read < world->docs[doc].pushed;
    }
    return copies;
}

static bool will_be_read(const struct world *world, const struct snapshot *snapshot, int doc)
{
    const struct place *place = &snapshot->docs[doc];
    int64_t read;

    if (place->waiting || place->later || place->delayed || place->dead ||
        snapshot_unadopted(snapshot, doc) > 0 || plain_to_come(world, place, doc) > 0)
        return true;
    if (!place->held || place->dirty)
        return place->held;
    read = version_read(world, place, doc);
    return read < 0 || read >= world->docs[doc].pushed;
}

static bool check_changes(struct world *world, const struct snapshot *snapshot)
{
    for (int i = 0; i < world->config->docs; i++) {
        const struct doc *doc = &world->docs[i];

        if (doc->indexed < doc->pushed && doc->waived < doc->pushed && !will_be_read(world, snapshot, i))
            return world_broken(world,
                                "%s: event:%d changed to %" PRId64 ", was handled up to %" PRId64 ", and %s",
                                snapshot->docs[i].held ? "9" : "1", i, doc->pushed, doc->indexed,
                                snapshot->docs[i].held ? "its holder read an older one" : "is nowhere");
    }
    return true;
}

/* ---- 2: one place each ---- */

static bool check_one_place(struct world *world, const struct snapshot *snapshot)
{
    for (int i = 0; i < world->config->docs && world->config->coalesce && !world->inexact; i++) {
        const struct place *place = &snapshot->docs[i];
        int places = place->waiting + place->later + place->held + place->delayed + place->dead;

        if (places > 1)
            return world_broken(world,
                                "2: event:%d waits %d times, later %d, in flight %d, delayed %d, dead %d", i,
                                place->waiting, place->later, place->held, place->delayed, place->dead);
    }
    return true;
}

/* ---- 3 and 4: what is in flight ---- */

static bool check_flight(struct world *world, const struct snapshot *snapshot)
{
    for (int i = 0; i < world->config->docs; i++) {
        const struct place *place = &snapshot->docs[i];
        const struct owner *owner = place->held ? snapshot_owner(snapshot, place->holder) : NULL;

        if (place->held && (!owner || owner->copies[i] == 0))
            return world_broken(world, "3: event:%d is in flight at %s, and not in its list", i,
                                place->holder);
        if (place->held && !owner->registered)
            return world_broken(world, "3: event:%d is in flight at %s, which is not registered", i,
                                place->holder);
        if (place->dirty && !place->held)
            return world_broken(world, "4: event:%d is dirty and not in flight", i);
        if (place->held && place->token > snapshot->token)
            return world_broken(world, "8: event:%d is in flight under a token to come", i);
    }
    return true;
}

static bool knows(const struct handle *handle, uint64_t token)
{
    for (size_t i = 0; i < handle->nholdings; i++) {
        if (handle->holdings[i].token == token)
            return true;
    }
    return false;
}

/* Or it would stay there for as long as its consumer lives. */
static bool check_knowledge(struct world *world, const struct snapshot *snapshot)
{
    for (int i = 0; i < world->config->docs; i++) {
        const struct place *place = &snapshot->docs[i];
        const struct handle *handle = place->held ? handle_named(world, place->holder) : NULL;

        if (handle && !handle->unsure && !knows(handle, place->token))
            return world_broken(world, "event:%d is in flight at %s, which does not know it", i,
                                place->holder);
    }
    return true;
}

/* A list holds what its consumer was given and what blocking moves brought, and belongs to someone whom
 * recovery will find. */
static bool check_lists(struct world *world, const struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->nowners; i++) {
        const struct owner *owner = &snapshot->owners[i];
        const struct handle *handle = handle_named(world, owner->name);

        if (owner->length && !owner->registered)
            return world_broken(world, "the list of %s is stranded: it is not registered", owner->name);
        for (int doc = 0; doc < world->config->docs; doc++) {
            const struct place *place = &snapshot->docs[doc];
            int given = place->held && strcmp(place->holder, owner->name) == 0;

            if (owner->copies[doc] > given + (handle ? handle->moved[doc] : 0))
                return world_broken(world,
                                    "event:%d is in the list of %s, and neither given to it nor moved there",
                                    doc, owner->name);
        }
    }
    return true;
}

/* ---- 5: marks ---- */

/* Exactly what waits has a mark, and the mark is its place. Plain consumers leave marks behind. */
static bool check_mark(struct world *world, const struct snapshot *snapshot, int doc)
{
    const struct place *place = &snapshot->docs[doc];

    if (place->waiting && (!place->marked || place->mark != snapshot->removed + 1 + place->position))
        return world_broken(world, "5: event:%d waits at place %" PRId64 ", its mark is %" PRId64, doc,
                            snapshot->removed + 1 + place->position, place->marked ? place->mark : -1);
    if (config_is_native(world->config) && place->marked && !place->waiting &&
        snapshot_unadopted(snapshot, doc) == 0)
        return world_broken(world, "the mark of event:%d has leaked", doc);
    return true;
}

static bool check_marks(struct world *world, const struct snapshot *snapshot)
{
    for (int i = 0; i < world->config->docs && world->config->coalesce && !world->inexact; i++) {
        if (!check_mark(world, snapshot, i))
            return false;
    }
    return true;
}

/* ---- 6 and 12: failures ---- */

static bool check_failures(struct world *world, const struct snapshot *snapshot)
{
    bool native = config_is_native(world->config);

    for (int i = 0; i < world->config->docs; i++) {
        const struct place *place = &snapshot->docs[i];
        const struct doc *doc = &world->docs[i];

        if (place->delayed && place->dead)
            return world_broken(world, "6: event:%d is delayed and dead", i);
        if (place->failures > doc->failures || (native && !doc->unsure && place->failures != doc->failures))
            return world_broken(world, "12: event:%d failed %d times, recorded are %d", i, doc->failures,
                                place->failures);
        if (native && place->crashes > doc->crashes)
            return world_broken(world, "12: event:%d crashed %d times at most, recorded are %d", i,
                                doc->crashes, place->crashes);
    }
    return true;
}

static bool check_items(struct world *world, const struct snapshot *snapshot)
{
    for (int i = 0; i < world->config->docs && world->inexact; i++)
        world->docs[i].unsure = true; /* a second copy may have revived a dead letter */
    if (snapshot->length == 0)
        world->inexact = false;
    return !snapshot->alien || world_broken(world, "an item is in the queue that nobody pushed");
}

/* Adopted, or taken back. */
static bool forget_moves(struct world *world, const struct snapshot *snapshot)
{
    for (size_t i = 0; i < world->nhandles; i++) {
        struct handle *handle = &world->handles[i];
        const struct owner *owner =
            handle->queue ? snapshot_owner(snapshot, pgusher_queue_consumer(handle->queue)) : NULL;

        if (!owner || owner->length == 0)
            memset(handle->moved, 0, sizeof(handle->moved));
    }
    return true;
}

bool invariants_hold(struct world *world, const struct snapshot *snapshot)
{
    static bool (*const checks[])(struct world *, const struct snapshot *) = {
        check_items, check_changes, check_one_place, check_flight, check_knowledge,
        check_lists, check_marks,   check_failures,  forget_moves,
    };

    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]) && !world->broken; i++)
        checks[i](world, snapshot);
    return !world->broken;
}

bool invariants_check(struct world *world)
{
    static struct snapshot snapshot;

    snapshot_take(world, &snapshot);
    return invariants_hold(world, &snapshot);
}
