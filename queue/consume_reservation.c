#include "queue/consume_reservation.h"
#include "common/human.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "queue/consume_documents.h"

enum { SHOWN_BYTES = 200 };

struct reservation *reservation_new(struct pgusher_queue_batch *batch)
{
    struct reservation *reservation = mem_zalloc(sizeof(*reservation));
    size_t count = pgusher_queue_batch_count(batch);

    reservation->batch = batch;
    reservation->work = work_new(count);
    for (size_t i = 0; i < count; i++) {
        size_t len;
        const char *item = pgusher_queue_batch_item(batch, i, &len);

        work_add(reservation->work, item, len, pgusher_queue_batch_attempt(batch, i));
    }
    return reservation;
}

void reservation_free(struct reservation *reservation)
{
    if (!reservation)
        return;
    work_free(reservation->work);
    pgusher_queue_batch_free(reservation->batch);
    free(reservation);
}

int reservation_prepare(struct reservation *reservation, struct nodes *nodes, struct err *err)
{
    if (reservation->prepared)
        return 0;
    work_bury_empty(reservation->work);
    if (!nodes)
        work_put_items(reservation->work);
    else if (documents_read(nodes, reservation->work, err) != 0)
        return -1;
    work_begin(reservation->work);
    reservation->prepared = true;
    return 0;
}

/* ---- settling ---- */

/* Items with one fate and one reason: one call. */
struct group {
    const struct work_item *first;
    size_t *indexes;
    size_t count;
};

static bool is_due(const struct pgusher_queue_batch *batch, const struct work *work, size_t index)
{
    return work_item(work, index)->fate != FATE_OPEN && !pgusher_queue_batch_settled(batch, index);
}

static bool is_like(const struct work_item *a, const struct work_item *b)
{
    return a->fate == b->fate && strcmp(a->reason ? a->reason : "", b->reason ? b->reason : "") == 0;
}

/* The next one; false when all is settled. */
static bool gather(struct group *group, const struct pgusher_queue_batch *batch, const struct work *work)
{
    group->first = NULL;
    group->count = 0;
    for (size_t i = 0; i < work_count(work); i++) {
        if (!is_due(batch, work, i))
            continue;
        if (!group->first)
            group->first = work_item(work, i);
        if (is_like(work_item(work, i), group->first))
            group->indexes[group->count++] = i;
    }
    return group->count > 0;
}

/* Returns how many were still held, or -1. */
static int settle_group(struct pgusher_queue *queue, struct pgusher_queue_batch *batch,
                        const struct group *group)
{
    int64_t delay = group->first->fate == FATE_BURY ? PGUSHER_QUEUE_BURY : PGUSHER_QUEUE_BACKOFF;

    switch (group->first->fate) {
    case FATE_ACK:
        return pgusher_queue_ack(queue, batch, group->indexes, group->count, NULL);
    case FATE_RELEASE:
        return pgusher_queue_release(queue, batch, group->indexes, group->count);
    case FATE_NACK:
    case FATE_BURY:
        return pgusher_queue_nack(queue, batch, group->indexes, group->count, group->first->reason, delay);
    case FATE_OPEN:
        break;
    }
    return 0;
}

/* ---- saying it ---- */

static char *names_of(const struct group *group)
{
    char *item = run_excerpt(group->first->data, group->first->len, SHOWN_BYTES);
    char *names = group->count == 1 ? mem_printf("\"%s\"", item)
                                    : mem_printf("\"%s\" and %zu more", item, group->count - 1);

    free(item);
    return names;
}

static void tell(const struct group *group, size_t stale)
{
    char *names = names_of(group);

    if (group->first->fate == FATE_NACK)
        log_warn("%s failed: %s", names, group->first->reason);
    else if (group->first->fate == FATE_BURY)
        log_error("%s can never be handled and becomes a dead letter: %s", names, group->first->reason);
    if (stale)
        log_warn("%zu of %s (%s) had been given to others before they were settled", stale,
                 human_of((int64_t)group->count, "item").text, names);
    free(names);
}

int reservation_settle(struct reservation *reservation, struct pgusher_queue *queue)
{
    size_t *indexes = mem_alloc((work_count(reservation->work) + 1) * sizeof(*indexes));
    struct group group = {.indexes = indexes};
    int held = 0;

    while (held >= 0 && gather(&group, reservation->batch, reservation->work)) {
        held = settle_group(queue, reservation->batch, &group);
        if (held >= 0)
            tell(&group, reservation->unsure ? 0 : group.count - (size_t)held);
        else if (pgusher_queue_status(queue) == PGUSHER_QUEUE_LOST)
            reservation->unsure = true;
    }
    free(indexes);
    return held < 0 ? -1 : 0;
}
