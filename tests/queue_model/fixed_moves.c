/* Blocking moves: what they bring lies in the consumer's list, and nobody knows of it until a reserve adopts
 * it. */
#include "tests/queue_model/fixed_kit.h"

static void adopted_by_the_next_reserve(struct world *world)
{
    struct handle *c = new_consumer(world);
    struct holding *holding;

    take(world, c, 1, 0);
    push_range(world, 0, 2);
    move(world, c, 0);
    move(world, c, 1);
    holding = take(world, c, 3, 3);
    for (int i = 0; i < 3; i++)
        MUST(world, holding->docs[i] == i && pgusher_queue_batch_attempt(holding->batch, (size_t)i) == 1);
    ack(world, c, holding);
}

/* Its owner dies: it goes back to the front, and no crash is counted. */
static void owner_dies_before_adopting(struct world *world)
{
    struct handle *c = new_consumer(world), *other = new_consumer(world);
    struct holding *holding;

    take(world, c, 1, 0);
    push_range(world, 0, 3);
    move(world, c, 0);
    move(world, c, 1);
    crash(c);
    wait_for(world, LEASE_MS + 1);
    MUST(world, recover(world) == 2);
    holding = take(world, other, 4, 4);
    for (int i = 0; i < 4; i++)
        MUST(world, holding->docs[i] == i && pgusher_queue_batch_attempt(holding->batch, (size_t)i) == 1);
    MUST(world, !place(world, 0)->failed);
}

/* Another holds the item and has read it before it changed: the copy carries the change. */
static void owner_dies_with_a_newer_change(struct world *world)
{
    struct handle *c = new_consumer(world), *other = new_consumer(world);
    struct holding *holding;

    take(world, c, 1, 0);
    push(world, 0);
    holding = take(world, other, 1, 1);
    push(world, 0);
    move(world, c, 0);
    crash(c);
    wait_for(world, LEASE_MS / 2);
    MUST(world, native_heartbeat(world, other));
    wait_for(world, LEASE_MS / 2 + 1);
    recover(world);
    MUST(world, place(world, 0)->dirty && waiting(world) == 0);
    ack(world, other, holding);
    MUST(world, waiting(world) == 1);
}

static void adopted_while_another_holds_it(struct world *world)
{
    struct handle *c = new_consumer(world), *other = new_consumer(world);
    struct holding *holding;

    take(world, c, 1, 0);
    push(world, 0);
    holding = take(world, other, 1, 1);
    push(world, 0);
    move(world, c, 0);
    take(world, c, 1, 0);
    MUST(world, place(world, 0)->dirty && place(world, 0)->listed == 1);
    ack(world, other, holding);
    ack(world, c, take(world, c, 1, 1));
}

static void copy_of_what_it_holds_itself(struct world *world)
{
    struct handle *c = new_consumer(world);
    struct holding *holding;

    push(world, 0);
    holding = take(world, c, 1, 1);
    push(world, 0);
    move(world, c, 0);
    MUST(world, place(world, 0)->listed == 2);
    take(world, c, 1, 0);
    MUST(world, place(world, 0)->listed == 1 && place(world, 0)->dirty);
    ack(world, c, holding);
    ack(world, c, take(world, c, 1, 1));
    MUST(world, waiting(world) == 0 && place(world, 0)->listed == 0);
}

static void acked_before_its_copy_is_adopted(struct world *world)
{
    struct handle *c = new_consumer(world);
    struct holding *holding;

    push(world, 0);
    holding = take(world, c, 1, 1);
    push(world, 0);
    move(world, c, 0);
    ack(world, c, holding);
    MUST(world, place(world, 0)->listed == 1);
    ack(world, c, take(world, c, 1, 1));
}

/* Adoption and the list give the same item in one call. */
static void copies_in_hand_and_in_the_list(struct world *world)
{
    struct handle *c = new_consumer(world);

    take(world, c, 1, 0);
    push(world, 0);
    push(world, 0);
    push(world, 0);
    move(world, c, 0);
    ack(world, c, take(world, c, 5, 1));
    ack(world, c, take(world, c, 5, 1));
    take(world, c, 5, 0);
}

static void pushed_again_before_it_is_adopted(struct world *world)
{
    struct handle *c = new_consumer(world);

    take(world, c, 1, 0);
    push(world, 0);
    move(world, c, 0);
    MUST(world, push(world, 0) == PGUSHER_QUEUE_QUEUED);
    ack(world, c, take(world, c, 5, 1));
    take(world, c, 5, 0);
}

static void adopted_while_paused(struct world *world)
{
    struct handle *c = new_consumer(world);

    take(world, c, 1, 0);
    push_range(world, 0, 2);
    move(world, c, 0);
    MUST(world, pgusher_queue_pause(world->producer, true) == 0);
    world->paused = true;
    take(world, c, 5, 0);
    MUST(world, waiting(world) == 3 && place(world, 0)->position == 0);
    MUST(world, push(world, 0) == PGUSHER_QUEUE_COALESCED);
}

/* Its lease ran out, others recovered it, and then its blocking move found something. */
static void a_late_move(struct world *world)
{
    struct handle *c = new_consumer(world);

    take(world, c, 1, 0);
    wait_for(world, LEASE_MS + 1);
    recover(world);
    push(world, 0);
    native_move(world, c);
    ack(world, c, take(world, c, 1, 1));
}

static void left_with_moved_items(struct world *world)
{
    struct handle *c = new_consumer(world), *other = new_consumer(world);
    int order[8];

    take(world, c, 1, 0);
    push_range(world, 0, 4);
    take(world, c, 1, 1);
    move(world, c, 1);
    move(world, c, 2);
    native_close(world, c);
    look(world);
    MUST(world, finish(world, other, order) == 5);
    for (int i = 0; i < 5; i++)
        MUST(world, order[i] == i);
}

/* While a copy lies in a dead consumer's list, the item is handed out, and fails. */
static void put_back_when_delayed(struct world *world)
{
    struct handle *c = new_consumer(world), *other = new_consumer(world);

    take(world, c, 1, 0);
    push_range(world, 0, 1);
    move(world, c, 0);
    move(world, c, 1);
    push_range(world, 0, 1);
    nack(world, other, take(world, other, 1, 1), 100 * LEASE_MS);
    nack(world, other, take(world, other, 1, 1), PGUSHER_QUEUE_BURY);
    crash(c);
    wait_for(world, LEASE_MS + 1);
    recover(world);
    finish(world, other, NULL);
}

static void put_back_when_delayed_and_paused(struct world *world)
{
    struct handle *c = new_consumer(world), *other = new_consumer(world);

    take(world, c, 1, 0);
    push(world, 0);
    move(world, c, 0);
    push(world, 0);
    nack(world, other, take(world, other, 1, 1), 100 * LEASE_MS);
    MUST(world, pgusher_queue_pause(world->producer, true) == 0);
    world->paused = true;
    take(world, c, 1, 0);
}

const struct fixed fixed_moves[] = {
    {"a moved item whose answer was lost is adopted", adopted_by_the_next_reserve, NATIVE},
    {"the owner dies before adopting: the front, and no crash", owner_dies_before_adopting, NATIVE},
    {"the owner dies with a copy of what another holds: dirty", owner_dies_with_a_newer_change,
     NO_COALESCING},
    {"adopted while another holds it: dirty, and not given", adopted_while_another_holds_it, NO_COALESCING},
    {"adopted while held by the same consumer", copy_of_what_it_holds_itself, NO_COALESCING},
    {"acked while a copy lies in the same list", acked_before_its_copy_is_adopted, NO_COALESCING},
    {"adopted and popped in one call", copies_in_hand_and_in_the_list, NO_COALESCING},
    {"moved, pushed again, adopted: given once", pushed_again_before_it_is_adopted, NATIVE},
    {"adopted while paused: back to the front", adopted_while_paused, NATIVE},
    {"a move that comes after its consumer was recovered", a_late_move, NATIVE},
    {"a consumer leaves with moved items", left_with_moved_items, NATIVE},
    {"a moved copy of what is delayed or dead comes back", put_back_when_delayed, NATIVE},
    {"a moved copy of what is delayed is put back while paused", put_back_when_delayed_and_paused, NATIVE},
    {NULL, NULL, NATIVE},
};
