/* threads URL QUEUE THREADS ITEMS: each thread has a handle of its own, pushes so many items, and takes and
 * acks whatever waits, its own or others', until all are done. SIGPIPE is not ignored. Prints how many were
 * acked in all. */
#include <pgusher-queue.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *url, *name;
static size_t items, threads;
static atomic_size_t acked;

static void must(bool good, struct pgusher_queue *queue, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "%s: %s\n", what, pgusher_queue_error(queue));
    exit(1);
}

static void push_all(struct pgusher_queue *queue, size_t number)
{
    for (size_t i = 0; i < items; i++) {
        char text[32];
        struct pgusher_queue_item item = {
            text, (size_t)snprintf(text, sizeof(text), "event:%zu", number * items + i)};

        must(pgusher_queue_push(queue, &item, 1, NULL) >= 0, queue, "push");
    }
}

static void take(struct pgusher_queue *queue)
{
    struct pgusher_queue_batch *batch = NULL;
    struct pgusher_queue_acked result = {0};

    must(pgusher_queue_reserve(queue, 7, 50, &batch) >= 0, queue, "reserve");
    if (batch && pgusher_queue_batch_count(batch))
        must(pgusher_queue_ack(queue, batch, NULL, 0, &result) >= 0, queue, "ack");
    atomic_fetch_add(&acked, result.acked);
    pgusher_queue_batch_free(batch);
}

static void *run(void *arg)
{
    struct pgusher_queue_options options = {.redis = url, .queue = name, .consumer = "thread"};
    char error[200] = "";
    struct pgusher_queue *queue = pgusher_queue_open(&options, error, sizeof(error));

    if (!queue) {
        fprintf(stderr, "open: %s\n", error);
        exit(1);
    }
    push_all(queue, (size_t)arg);
    while (atomic_load(&acked) < threads * items)
        take(queue);
    pgusher_queue_close(queue);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t all[64];

    if (argc != 5 || (threads = strtoul(argv[3], NULL, 10)) > 64)
        return 64;
    url = argv[1], name = argv[2], items = strtoul(argv[4], NULL, 10);
    for (size_t i = 0; i < threads; i++)
        if (pthread_create(&all[i], NULL, run, (void *)i) != 0)
            return 1;
    for (size_t i = 0; i < threads; i++)
        pthread_join(all[i], NULL);
    printf("%zu\n", atomic_load(&acked));
    return 0;
}
