/* Recovery, what an operator does, and what happens to Redis. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/queue_model/fault.h"
#include "tests/queue_model/native.h"
#include "tests/queue_model/report.h"
#include "tests/queue_model/snapshot.h"
#include "tests/queue_model/steps.h"

enum { COMING_BACK = 16 };

static struct snapshot before, after;

/* ---- recovery ---- */

void step_recover(struct world *world)
{
    if (pgusher_queue_recover(world->producer) < 0)
        native_lost(world, world->producer, "recover");
}

/* A few items of it, as if the one who recovers died in the middle. A lease that runs: nothing may be written
 * (11). */
static void recover(struct world *world, const char *consumer)
{
    bool lives = world_integer(world, "ZSCORE " QUEUE ":consumers %s", consumer) >= world->now;
    char max[8], digest[41], digest_after[41];
    redisReply *reply;

    snprintf(max, sizeof(max), "%zu", 1 + world_below(world, 3));
    world_digest(world, digest);
    reply = world_script(world, "recover", consumer, 4, (const char *const[]){consumer, max, "", "0"});
    world_digest(world, digest_after);
    world_note(world, " %s: %lld %lld %lld", consumer, reply->element[0]->integer, reply->element[1]->integer,
               reply->element[2]->integer);
    if (lives && (reply->element[0]->integer != 0 || strcmp(digest, digest_after) != 0))
        world_broken(world, "11: %s lives, and recovering it changed something", consumer);
    freeReplyObject(reply);
}

void step_recover_one(struct world *world)
{
    redisReply *consumers = world_redis(world, "ZRANGE " QUEUE ":consumers 0 -1");

    if (consumers->elements)
        recover(world, consumers->element[world_below(world, consumers->elements)]->str);
    freeReplyObject(consumers);
}

void step_recover_living(struct world *world)
{
    struct handle *handle = native_alive(world);

    if (handle && handle->deadline >= world->now)
        recover(world, pgusher_queue_consumer(handle->queue));
}

/* ---- dead letters ---- */

void step_replay(struct world *world)
{
    int doc = (int)world_below(world, (size_t)world->config->docs);
    struct pgusher_queue_item item = doc_item(doc);
    bool was_dead = world_integer(world, "ZSCORE " QUEUE ":dead %b", item.data, item.len) != 0, done = false;
    int64_t replayed = pgusher_queue_replay(world->producer, &item, 1, &done);
    if (replayed < 0) {
        world->docs[doc].unsure = true;
        native_lost(world, world->producer, "replay");
        return;
    }
    if (done != was_dead || replayed != done)
        world_broken(world, "replay of event:%d says %d", doc, done);
    if (done)
        native_begin_anew(world, doc);
}

void step_replay_all(struct world *world)
{
    int64_t replayed;

    fault_disarm();
    snapshot_take(world, &before);
    replayed = pgusher_queue_replay_all(world->producer);
    if (replayed != (int64_t)before.dead)
        world_broken(world, "%zu were dead, %" PRId64 " were replayed", before.dead, replayed);
    for (int i = 0; i < world->config->docs; i++) {
        if (before.docs[i].dead)
            native_begin_anew(world, i);
    }
}

/* ---- throwing away ---- */

/* Whoever handles it now will find its settling stale. */
static void note_gone(struct world *world, int doc)
{
    world->docs[doc].waived = world->docs[doc].pushed;
    native_begin_anew(world, doc);
    for (size_t i = 0; i < world->nhandles; i++) {
        struct handle *handle = &world->handles[i];

        for (size_t j = 0; j < handle->nholdings; j++) {
            for (size_t k = 0; k < handle->holdings[j].count; k++) {
                if (handle->holdings[j].docs[k] == doc)
                    handle->holdings[j].gone[k] = true;
            }
        }
    }
}

static bool is_anywhere(const struct place *place)
{
    return place->waiting || place->later || place->held || place->dirty || place->delayed || place->dead ||
           place->listed || place->plain;
}

static void check_removed(struct world *world, int doc, int64_t removed, bool done)
{
    bool was_anywhere = is_anywhere(&before.docs[doc]);

    snapshot_take(world, &after);
    if (is_anywhere(&after.docs[doc]) || after.docs[doc].failed)
        world_broken(world, "event:%d was removed, and is not gone", doc);
    if (removed != was_anywhere || done != was_anywhere)
        world_broken(world, "removing event:%d says %" PRId64, doc, removed);
}

void step_remove(struct world *world)
{
    int doc = (int)world_below(world, (size_t)world->config->docs);
    struct pgusher_queue_item item = doc_item(doc);
    bool done = false;
    int64_t removed;

    world_note(world, " %d", doc);
    fault_disarm();
    snapshot_take(world, &before);
    removed = pgusher_queue_remove(world->producer, &item, 1, &done);
    world->inexact = world->inexact || before.docs[doc].position > 0;
    check_removed(world, doc, removed, done);
    note_gone(world, doc);
}

void step_purge_dead(struct world *world)
{
    int64_t purged;

    fault_disarm();
    snapshot_take(world, &before);
    purged = pgusher_queue_purge_dead(world->producer);
    if (purged != (int64_t)before.dead)
        world_broken(world, "%zu were dead, %" PRId64 " were purged", before.dead, purged);
    for (int i = 0; i < world->config->docs; i++) {
        if (before.docs[i].dead)
            note_gone(world, i);
    }
}

void step_purge_all(struct world *world)
{
    fault_disarm();
    if (pgusher_queue_purge_all(world->producer) < 0)
        world_broken(world, "purge failed: %s", pgusher_queue_error(world->producer));
    snapshot_take(world, &after);
    for (int i = 0; i < world->config->docs; i++) {
        note_gone(world, i);
        if (is_anywhere(&after.docs[i]))
            world_broken(world, "all was purged, and event:%d is not gone", i);
    }
}

/* ---- the rest ---- */

void step_pause(struct world *world)
{
    world->paused = !world->paused && world_percent(world, 50);
    world_note(world, " %d", world->paused);
    if (pgusher_queue_pause(world->producer, world->paused) == 0)
        return;
    if (native_lost(world, world->producer, "pause") &&
        pgusher_queue_pause(world->producer, world->paused) != 0)
        world_broken(world, "pause failed: %s", pgusher_queue_error(world->producer));
}

static void compare_stats(struct world *world, const struct pgusher_queue_stats *stats)
{
    size_t registered = 0;

    snapshot_take(world, &after);
    for (size_t i = 0; i < after.nowners; i++)
        registered += after.owners[i].registered;
    if (stats->waiting != (size_t)after.length || stats->in_flight != after.held ||
        stats->dirty != after.dirty || stats->delayed != after.delayed || stats->dead != after.dead ||
        stats->plain != after.plain || stats->later != after.later || stats->nconsumers != registered ||
        stats->paused != world->paused || stats->now_ms != world->now)
        world_broken(world, "stats differ from what there is");
}

void step_stats(struct world *world)
{
    struct pgusher_queue_stats stats;

    if (pgusher_queue_stats(world->producer, &stats) != 0) {
        native_lost(world, world->producer, "stats");
        return;
    }
    compare_stats(world, &stats);
    pgusher_queue_stats_free(&stats);
}

void step_forget_scripts(struct world *world)
{
    freeReplyObject(world_redis(world, "SCRIPT FLUSH"));
}

/* The first call finds out, the next one connects again. */
static void find_out(struct world *world, struct pgusher_queue *queue)
{
    struct pgusher_queue_stats stats;

    if (pgusher_queue_stats(queue, &stats) == 0)
        pgusher_queue_stats_free(&stats);
    else if (pgusher_queue_status(queue) != PGUSHER_QUEUE_LOST &&
             pgusher_queue_status(queue) != PGUSHER_QUEUE_AGAIN)
        world_broken(world, "a cut connection: %s", pgusher_queue_error(queue));
}

void step_cut_connections(struct world *world)
{
    size_t first = world->nhandles < COMING_BACK ? 0 : world->nhandles - COMING_BACK;

    fault_disarm();
    freeReplyObject(world_redis(world, "CLIENT KILL TYPE normal SKIPME yes"));
    find_out(world, world->producer);
    for (size_t i = 0; i < world->nhandles; i++) {
        if (world->handles[i].alive || (i >= first && world->handles[i].queue))
            find_out(world, world->handles[i].queue);
    }
}

void step_restart(struct world *world)
{
    freeReplyObject(world_redis(world, "HSET " QUEUE ":meta run_id another"));
}
