/* libpgusher-queue as a contestant (turn.h):
 *
 *     queue_ours SOCKET push BATCH COUNT     queues that many distinct items
 *     queue_ours SOCKET drain BATCH          handles all that waits
 *     queue_ours SOCKET produce RATE COUNT   pushes items that are the time of their pushing, RATE a second
 *     queue_ours SOCKET handle BATCH COUNT   waits for those, and says how old each was when it came
 *     queue_ours SOCKET hold BATCH           holds a batch and does nothing about it but renew its lease
 *     queue_ours SOCKET take BATCH COUNT     waits until it has handled so many
 */
#include <string.h>

#include "queue/pgusher-queue.h"
#include "tests/bench/turn.h"

enum { LEASE_MS = 2000, WAIT_MS = 10000, FIRST_ITEM = 1000000, ITEM_SIZE = 32 };

static struct pgusher_queue *queue;

static int checked(int outcome)
{
    if (outcome >= 0)
        return outcome;
    fprintf(stderr, "queue_ours: %s\n", pgusher_queue_error(queue));
    exit(1);
}

static void push(long batch, long count)
{
    struct pgusher_queue_item items[PGUSHER_QUEUE_MAX_ITEMS];
    char names[PGUSHER_QUEUE_MAX_ITEMS][ITEM_SIZE];
    int64_t start_ns = turn_begin();

    for (long done = 0; done < count; done += batch) {
        for (long i = 0; i < batch; i++) {
            int len = snprintf(names[i], ITEM_SIZE, "event:%ld", FIRST_ITEM + done + i);

            items[i] = (struct pgusher_queue_item){names[i], (size_t)len};
        }
        checked(pgusher_queue_push(queue, items, (size_t)batch, NULL));
    }
    turn_report((size_t)count, start_ns, turn_now_ns());
}

static void drain(size_t max)
{
    int64_t start_ns = turn_begin();
    struct pgusher_queue_batch *batch;
    size_t count = 0;
    int held = checked(pgusher_queue_reserve(queue, max, 0, &batch));

    while (held > 0) {
        struct pgusher_queue_batch *done = batch;

        count += (size_t)held;
        held = checked(pgusher_queue_ack_reserve(queue, done, max, &batch, NULL));
        pgusher_queue_batch_free(done);
    }
    turn_report(count, start_ns, turn_now_ns());
}

static void push_time(void *context)
{
    char text[ITEM_SIZE];
    int len = snprintf(text, sizeof(text), "%" PRId64, turn_now_ns());
    struct pgusher_queue_item item = {text, (size_t)len};

    (void)context;
    checked(pgusher_queue_push(queue, &item, 1, NULL));
}

static void produce(long rate, long count)
{
    int64_t start_ns = turn_begin();

    turn_pace(rate, count, push_time, NULL);
    turn_report((size_t)count, start_ns, turn_now_ns());
}

static size_t handle_some(size_t max, int64_t *ages_ns)
{
    struct pgusher_queue_batch *batch;
    int held = checked(pgusher_queue_reserve(queue, max, WAIT_MS, &batch));
    int64_t now_ns = turn_now_ns();

    for (int i = 0; i < held; i++)
        ages_ns[i] = now_ns - strtoll(pgusher_queue_batch_item(batch, (size_t)i, NULL), NULL, 10);
    if (held > 0)
        checked(pgusher_queue_ack(queue, batch, NULL, 0, NULL));
    pgusher_queue_batch_free(batch);
    return (size_t)held;
}

static void handle(size_t max, size_t count)
{
    int64_t *ages_ns = calloc(count + max, sizeof(*ages_ns));

    if (!ages_ns)
        exit(1);
    turn_begin();
    for (size_t done = 0; done < count;)
        done += handle_some(max, ages_ns + done);
    turn_report_ages(ages_ns, count);
    free(ages_ns);
}

/* The lease is renewed at the last moment, so that it is whole when the kill comes. */
static void hold(size_t max)
{
    struct pgusher_queue_batch *batch;
    int64_t start_ns;
    int held = checked(pgusher_queue_reserve(queue, max, WAIT_MS, &batch));

    start_ns = turn_begin();
    checked(pgusher_queue_heartbeat(queue));
    turn_report((size_t)held, start_ns, turn_now_ns());
    turn_begin();
}

static void take(size_t max, size_t count)
{
    int64_t start_ns = turn_begin();
    size_t done = 0;

    while (done < count) {
        struct pgusher_queue_batch *batch;
        int held = checked(pgusher_queue_reserve(queue, max, WAIT_MS, &batch));

        done += (size_t)held;
        if (held > 0)
            checked(pgusher_queue_ack(queue, batch, NULL, 0, NULL));
        pgusher_queue_batch_free(batch);
    }
    turn_report(done, start_ns, turn_now_ns());
}

static int run(const char *verb, long first, long second)
{
    if (strcmp(verb, "push") == 0)
        push(first, second);
    else if (strcmp(verb, "drain") == 0)
        drain((size_t)first);
    else if (strcmp(verb, "produce") == 0)
        produce(first, second);
    else if (strcmp(verb, "handle") == 0)
        handle((size_t)first, (size_t)second);
    else if (strcmp(verb, "hold") == 0)
        hold((size_t)first);
    else if (strcmp(verb, "take") == 0)
        take((size_t)first, (size_t)second);
    else
        return 2;
    return 0;
}

int main(int argc, char **argv)
{
    char address[128], error[256];
    struct pgusher_queue_options options = {.redis = address, .queue = "Q", .lease_ms = LEASE_MS};
    int status;

    if (argc < 4)
        return 2;
    snprintf(address, sizeof(address), "unix://%s", argv[1]);
    queue = pgusher_queue_open(&options, error, sizeof(error));
    if (!queue) {
        fprintf(stderr, "queue_ours: %s\n", error);
        return 1;
    }
    status = run(argv[2], strtol(argv[3], NULL, 10), argc > 4 ? strtol(argv[4], NULL, 10) : 0);
    pgusher_queue_close(queue);
    return status;
}
