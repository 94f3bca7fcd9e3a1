/* Leases, recovery, tokens. */
#include "tests/queue_model/fixed_kit.h"

#include <string.h>

static void ends_exactly_now(struct world *world)
{
    struct handle *c = new_consumer(world), *other = new_consumer(world);

    push(world, 0);
    take(world, c, 1, 1);
    crash(c);
    wait_for(world, LEASE_MS);
    MUST(world, recover(world) == 0);
    take(world, other, 1, 0);
    wait_for(world, 1);
    MUST(world, recover(world) == 1);
    MUST(world, take(world, other, 1, 1)->docs[0] == 0);
}

/* Nobody calls recover: a reserve does it on the way. */
static void reserve_recovers(struct world *world)
{
    struct handle *c = new_consumer(world), *other = new_consumer(world);

    push_range(world, 0, 2);
    take(world, c, 3, 3);
    crash(c);
    wait_for(world, LEASE_MS + 1);
    MUST(world, finish(world, other, NULL) == 3);
}

static void heartbeats_keep_it(struct world *world)
{
    struct handle *c = new_consumer(world), *other = new_consumer(world);
    struct holding *holding;

    push(world, 0);
    holding = take(world, c, 1, 1);
    for (int i = 0; i < 5; i++) {
        wait_for(world, LEASE_MS);
        MUST(world, pgusher_queue_heartbeat(c->queue) == 1);
        c->deadline = world->now + LEASE_MS;
        take(world, other, 1, 0);
        MUST(world, recover(world) == 0);
    }
    ack(world, c, holding);
}

/* All that a consumer does too late does nothing. */
static void zombie(struct world *world)
{
    struct handle *c = new_consumer(world), *other = new_consumer(world);
    struct holding *first, *second, *third, *given;

    push_range(world, 0, 2);
    first = take(world, c, 1, 1);
    second = take(world, c, 1, 1);
    third = take(world, c, 1, 1);
    wait_for(world, LEASE_MS + 1);
    MUST(world, recover(world) == 3);
    given = take(world, other, 3, 3);
    MUST(world, pgusher_queue_heartbeat(c->queue) == 0);
    nack(world, c, third, 0);
    release(world, c, second);
    ack(world, c, first);
    MUST(world, c->nholdings == 0);
    ack(world, other, given);
}

/* It comes back under the same name and is given the same item: its old token is worth nothing. */
static void zombie_with_the_same_item(struct world *world)
{
    struct handle *c = new_consumer(world);
    struct holding *old, *given;

    push(world, 0);
    old = take(world, c, 1, 1);
    wait_for(world, LEASE_MS + 1);
    MUST(world, recover(world) == 1);
    given = take(world, c, 1, 1);
    MUST(world, given->token > old->token);
    push(world, 0);
    ack(world, c, old);
    MUST(world, place(world, 0)->held && place(world, 0)->dirty);
    ack(world, c, &c->holdings[0]);
    MUST(world, waiting(world) == 1);
}

/* Who recovers dies in the middle; the zombie comes back, and what is still its own stays so. */
static void recovered_in_part(struct world *world)
{
    struct handle *c = new_consumer(world), *other = new_consumer(world);
    const char *name = pgusher_queue_consumer(c->queue);
    struct holding *holding;
    redisReply *reply;

    push_range(world, 0, 2);
    holding = take(world, c, 3, 3);
    wait_for(world, LEASE_MS + 1);
    reply = world_script(world, "recover", name, 4, (const char *const[]){name, "2", "", "0"});
    MUST(world, reply->element[0]->integer == 1 && reply->element[1]->integer == 2 &&
                    reply->element[3]->integer == 1);
    freeReplyObject(reply);
    MUST(world, native_heartbeat(world, c));
    MUST(world, recover(world) == 0);
    take(world, other, 3, 2);
    ack(world, c, holding);
    MUST(world, place(world, 2)->listed == 0 && place(world, 0)->held && place(world, 1)->held);
}

static void leaves_in_order(struct world *world)
{
    struct handle *c = new_consumer(world), *other = new_consumer(world);
    struct holding *holding;

    push_range(world, 0, 3);
    take(world, c, 2, 2);
    take(world, c, 1, 1);
    MUST(world, push(world, 1) == PGUSHER_QUEUE_DIRTY);
    native_close(world, c);
    holding = take(world, other, 4, 4);
    for (int i = 0; i < 4; i++)
        MUST(world, holding->docs[i] == i && pgusher_queue_batch_attempt(holding->batch, (size_t)i) == 1);
    MUST(world, place(world, 1)->held && !place(world, 1)->dirty);
}

/* Nobody could renew its lease while Redis was away. */
static void grace_after_a_restart(struct world *world)
{
    struct handle *c = new_consumer(world), *other = new_consumer(world);
    struct holding *holding;

    push(world, 0);
    holding = take(world, c, 1, 1);
    freeReplyObject(world_redis(world, "HSET " QUEUE ":meta run_id another"));
    wait_for(world, 10 * LEASE_MS);
    MUST(world, recover(world) == 0);
    take(world, other, 1, 0);
    wait_for(world, LEASE_MS - 1);
    MUST(world, recover(world) == 0);
    take(world, other, 1, 0);
    MUST(world, pgusher_queue_heartbeat(c->queue) == 1);
    wait_for(world, 2);
    MUST(world, recover(world) == 0);
    ack(world, c, holding);
    MUST(world, place(world, 0)->listed == 0);
}

static void grace_ends(struct world *world)
{
    struct handle *c = new_consumer(world);

    push(world, 0);
    take(world, c, 1, 1);
    freeReplyObject(world_redis(world, "HSET " QUEUE ":meta run_id another"));
    wait_for(world, 10 * LEASE_MS);
    MUST(world, recover(world) == 0);
    wait_for(world, LEASE_MS + 1);
    MUST(world, recover(world) == 1);
}

static uint64_t next_token(struct world *world, struct handle *c)
{
    struct holding *holding;
    uint64_t token;

    push(world, 0);
    holding = take(world, c, 1, 1);
    token = holding->token;
    ack(world, c, holding);
    return token;
}

static void tokens_grow(struct world *world)
{
    struct handle *c = new_consumer(world), *other = new_consumer(world);
    uint64_t first = next_token(world, c);

    MUST(world, next_token(world, other) > first);
    world_pass(world, -100 * LEASE_MS); /* the clock goes back */
    MUST(world, next_token(world, c) > first + 1);
    world_pass(world, 101 * LEASE_MS);
    freeReplyObject(world_redis(world, "DEL " QUEUE ":meta")); /* only the clock is left */
    MUST(world, next_token(world, c) > first + 2);
}

/* Two handles never have one name; a program that uses one again, by itself, is given what it left. */
static void a_name_used_again(struct world *world)
{
    const char *const words[] = {"again", "1000", "5", "0", ""};
    redisReply *reply;

    push_range(world, 0, 1);
    freeReplyObject(world_script(world, "reserve", "again", 5, words));
    reply = world_script(world, "reserve", "again", 5, words);
    MUST(world, reply->element[6]->elements == 2);
    freeReplyObject(reply);
    look(world);
    wait_for(world, LEASE_MS + 1);
    MUST(world, recover(world) == 2);
}

static void names_differ(struct world *world)
{
    enum { MANY = 50 };

    for (int i = 0; i < MANY; i++)
        new_consumer(world);
    for (int i = 0; i < MANY; i++) {
        for (int j = 0; j < i; j++)
            MUST(world, strcmp(pgusher_queue_consumer(world->handles[i].queue),
                               pgusher_queue_consumer(world->handles[j].queue)) != 0);
    }
}

const struct fixed fixed_leases[] = {
    {"a lease that ends exactly now still runs", ends_exactly_now, NATIVE},
    {"a reserve takes back what the dead left", reserve_recovers, NATIVE},
    {"heartbeats keep what is held", heartbeats_keep_it, NATIVE},
    {"a zombie changes nothing", zombie, NATIVE},
    {"a zombie that is given its item again", zombie_with_the_same_item, NATIVE},
    {"recovered in part, then it comes back", recovered_in_part, NATIVE},
    {"leaving puts all back in order, and counts nothing", leaves_in_order, NATIVE},
    {"grace after a restart of Redis", grace_after_a_restart, NATIVE},
    {"the grace ends", grace_ends, NATIVE},
    {"tokens grow, whatever the clock and the counters do", tokens_grow, NATIVE},
    {"a consumer's name used again strands nothing", a_name_used_again, NATIVE},
    {"no two handles have one name", names_differ, NATIVE},
    {NULL, NULL, NATIVE},
};
