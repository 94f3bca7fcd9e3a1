/* A consumer in C: takes the keys of changed documents out of a queue and prints what it would index.
 *
 *     cc -o consumer consumer.c $(pkg-config --cflags --libs pgusher-queue)
 *     ./consumer unix:///run/redis/redis.sock '{search}'
 * SIGTERM ends it within a second. However it ends, what it holds goes to other consumers. */
#include <pgusher-queue.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t stopped;
static void stop(int signum)
{
    stopped = signum;
}

/* NULL; or why it cannot be indexed. A real one reads the document now, and gives it to the search engine. */
static const char *index_document(const char *key)
{
    return strchr(key, ':') && printf("would index %s\n", key) > 0 && !fflush(stdout) ? NULL : "no document";
}

/* After a call that failed: whether to repeat it. What is not settled stays ours for as long as we live. */
static bool try_again(const struct pgusher_queue *queue)
{
    fprintf(stderr, "consumer: %s\n", pgusher_queue_error(queue));
    return pgusher_queue_status(queue) <= PGUSHER_QUEUE_LOST && !stopped && sleep(1) == 0;
}

static void settle(struct pgusher_queue *queue, struct pgusher_queue_batch *batch, size_t i, const char *why)
{
    while ((why ? pgusher_queue_nack(queue, batch, &i, 1, why, PGUSHER_QUEUE_BACKOFF)
                : pgusher_queue_ack(queue, batch, &i, 1, NULL)) < 0 &&
           try_again(queue))
        ;
}

int main(int argc, char **argv)
{
    struct pgusher_queue_options options = {.redis = argc == 3 ? argv[1] : "", .queue = argv[argc - 1]};
    char error[256];
    struct pgusher_queue *queue = pgusher_queue_open(&options, error, sizeof(error));
    signal(SIGTERM, stop);
    while (queue && !stopped) {
        struct pgusher_queue_batch *batch = NULL;
        if (pgusher_queue_reserve(queue, 100, 1000, &batch) < 0 && !try_again(queue))
            break;
        for (size_t i = 0; batch && i < pgusher_queue_batch_count(batch) && !stopped; i++) {
            pgusher_queue_heartbeat(queue); /* else slow work would lose the rest of the batch to others */
            settle(queue, batch, i, index_document(pgusher_queue_batch_item(batch, i, NULL)));
        }
        pgusher_queue_batch_free(batch);
    }
    if (!queue)
        fprintf(stderr, "consumer: %s\n", error);
    pgusher_queue_close(queue);
    return !stopped;
}
