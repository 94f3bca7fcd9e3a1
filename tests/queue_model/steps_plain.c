/* What programs do that know RPOPLPUSH and LREM only, and those that LPUSH. */
#include <string.h>

#include "tests/queue_model/report.h"
#include "tests/queue_model/snapshot.h"
#include "tests/queue_model/steps.h"

void step_plain_push(struct world *world)
{
    int i = (int)world_below(world, (size_t)world->config->docs);
    struct pgusher_queue_item item = doc_item(i);

    world_note(world, " %d", i);
    world->docs[i].version++;
    freeReplyObject(world_redis(world, "LPUSH " QUEUE " %b", item.data, item.len));
    world->docs[i].pushed = world->docs[i].version;
}

void step_plain_pop(struct world *world)
{
    struct plain *plain = &world->plains[world_below(world, MAX_PLAIN)];
    redisReply *item;

    if (plain->doc >= 0)
        return;
    item = world_redis(world, "RPOPLPUSH " QUEUE " " QUEUE "-processing");
    if (item->type == REDIS_REPLY_STRING)
        *plain = (struct plain){doc_of(item->str, (size_t)item->len), -1, world->now};
    world_note(world, " %d", plain->doc);
    freeReplyObject(item);
}

static void read_document(struct world *world, struct plain *plain)
{
    if (plain->doc >= 0 && plain->read < 0)
        plain->read = world->docs[plain->doc].version;
}

void step_plain_read(struct world *world)
{
    read_document(world, &world->plains[world_below(world, MAX_PLAIN)]);
}

void step_plain_done(struct world *world)
{
    struct plain *plain = &world->plains[world_below(world, MAX_PLAIN)];
    struct pgusher_queue_item item;

    if (plain->doc < 0)
        return;
    read_document(world, plain);
    world_note(world, " %d", plain->doc);
    if (plain->read > world->docs[plain->doc].indexed)
        world->docs[plain->doc].indexed = plain->read;
    item = doc_item(plain->doc);
    freeReplyObject(world_redis(world, "LREM " QUEUE "-processing -1 %b", item.data, item.len));
    plain->doc = -1;
}

void step_plain_crash(struct world *world)
{
    world->plains[world_below(world, MAX_PLAIN)].doc = -1;
}

static int copies_of(const redisReply *list, int doc)
{
    int copies = 0;

    for (size_t i = 0; i < list->elements; i++)
        copies += doc_of(list->element[i]->str, (size_t)list->element[i]->len) == doc;
    return copies;
}

static int holders_of(const struct world *world, int doc)
{
    int holders = 0;

    for (int i = 0; i < MAX_PLAIN; i++)
        holders += world->plains[i].doc == doc;
    return holders;
}

static void give_up_all(struct world *world, int doc)
{
    for (int i = 0; i < MAX_PLAIN; i++) {
        if (world->plains[i].doc == doc)
            world->plains[i].doc = -1;
    }
}

void plain_give_up_overdue(struct world *world)
{
    redisReply *list;

    if (!world->config->plain_consumers)
        return;
    list = world_redis(world, "LRANGE " QUEUE "-processing 0 -1");
    for (int i = 0; i < MAX_PLAIN; i++) {
        struct plain *plain = &world->plains[i];

        if (plain->doc >= 0 && world->now - plain->since >= PLAIN_TIMEOUT_MS)
            plain->doc = -1;
        if (plain->doc >= 0 && copies_of(list, plain->doc) < holders_of(world, plain->doc))
            give_up_all(world, plain->doc);
    }
    freeReplyObject(list);
}

/* ---- what pgusherd does about the lane for later ---- */

void step_promote(struct world *world)
{
    freeReplyObject(world_script(world, "promote", NULL, 0, NULL));
}

void step_sooner(struct world *world)
{
    static struct snapshot before, after;
    int doc = (int)world_below(world, (size_t)world->config->docs);
    struct pgusher_queue_item item = doc_item(doc);
    redisReply *reply;
    bool moved;

    if (strlen(item.data) != item.len)
        return; /* world_script knows texts only */
    world_note(world, " %d", doc);
    snapshot_take(world, &before);
    reply = world_script(world, "enqueue", NULL, 3, (const char *const[]){"", "sooner", item.data});
    moved = reply->elements == 1 && reply->element[0]->integer == PGUSHER_QUEUE_COALESCED;
    freeReplyObject(reply);
    snapshot_take(world, &after);
    if (moved != before.docs[doc].later || after.docs[doc].later ||
        after.docs[doc].waiting != before.docs[doc].waiting + moved)
        world_broken(world, "event:%d was %s later, and waits %d times after it was to come sooner", doc,
                     before.docs[doc].later ? "to come" : "not to come", after.docs[doc].waiting);
}
