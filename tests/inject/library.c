/* A host of libpgusher-queue whose memory runs out: each step is done with the first allocation of the
 * library failing, then the second, and so on until the step needs no more; then the same with all after the
 * n-th failing, too. shim.c is preloaded. Usage: library ADDRESS [quick], which leaves out the latter. Speaks
 * TAP.
 *
 * It shows that the library neither ends its host nor crashes it, says what happened, keeps no memory, and
 * that nothing is lost: the same call works when there is memory again. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/pgusher-queue.h"
#include "shim.h"

enum { ITEMS = 3 };

static const char *address;
static int steps, bad;

static void check(bool so, const char *step, long n, const char *what, const struct pgusher_queue *queue)
{
    if (so)
        return;
    bad++;
    printf("# %s, %ld: %s: %s\n", step, n, what, queue ? pgusher_queue_error(queue) : "");
}

static struct pgusher_queue *open_queue(void)
{
    const struct pgusher_queue_options options = {
        .redis = address, .queue = "{inject}", .max_failures = 5, .lease_ms = 60000};
    char error[200] = "";
    struct pgusher_queue *queue = pgusher_queue_open(&options, error, sizeof(error));

    if (!queue && !error[0])
        printf("# open fails and does not say why\n"), bad++;
    return queue;
}

/* One step on a handle that works: as often as it needs until it succeeds. Each sees to it by itself that
 * what it did is right, and gives -1 as the call did. */
typedef int step_fn(struct pgusher_queue *queue);

static const struct pgusher_queue_item items[ITEMS] = {{"event:1", 7}, {"event:2", 7}, {"event:3", 7}};

static int push(struct pgusher_queue *queue)
{
    return pgusher_queue_push(queue, items, ITEMS, NULL);
}

static struct pgusher_queue_batch *held;

static int reserve(struct pgusher_queue *queue)
{
    int count = pgusher_queue_reserve(queue, ITEMS, 0, &held);

    return count < 0 ? -1 : count == ITEMS ? 0 : -2;
}

static int ack(struct pgusher_queue *queue)
{
    const size_t first = 0;
    struct pgusher_queue_acked acked;
    int count = pgusher_queue_ack(queue, held, &first, 1, &acked);

    return count < 0 ? -1 : 0;
}

static int nack(struct pgusher_queue *queue)
{
    const size_t second = 1;

    return pgusher_queue_nack(queue, held, &second, 1, "no", PGUSHER_QUEUE_BURY) < 0 ? -1 : 0;
}

static int heartbeat(struct pgusher_queue *queue)
{
    int still = pgusher_queue_heartbeat(queue);

    return still < 0 ? -1 : still == 1 ? 0 : -2;
}

static int release(struct pgusher_queue *queue)
{
    if (pgusher_queue_release(queue, held, NULL, 0) < 0)
        return -1;
    pgusher_queue_batch_free(held);
    held = NULL;
    return 0;
}

static bool see(void *arg, const struct pgusher_queue_entry *entry)
{
    size_t *seen = arg;

    *seen += entry->len == 7;
    return true;
}

static int each(struct pgusher_queue *queue)
{
    size_t waiting = 0, dead = 0;

    if (pgusher_queue_each(queue, PGUSHER_QUEUE_WAITING, 0, 0, see, &waiting) != 0 ||
        pgusher_queue_each(queue, PGUSHER_QUEUE_DEAD, 0, 0, see, &dead) != 0)
        return -1;
    return waiting == 1 && dead == 1 ? 0 : -2;
}

static int stats(struct pgusher_queue *queue)
{
    struct pgusher_queue_stats figures;
    bool right;

    if (pgusher_queue_stats(queue, &figures) != 0)
        return -1;
    right = figures.waiting == 1 && figures.in_flight == 0 && figures.dead == 1;
    pgusher_queue_stats_free(&figures);
    return right ? 0 : -2;
}

static int replay_all(struct pgusher_queue *queue)
{
    return pgusher_queue_replay_all(queue) < 0 ? -1 : 0;
}

static int recover(struct pgusher_queue *queue)
{
    return pgusher_queue_recover(queue) < 0 ? -1 : 0;
}

static int ack_reserve(struct pgusher_queue *queue)
{
    struct pgusher_queue_batch *next = NULL;
    int count = held ? pgusher_queue_ack_reserve(queue, held, 1, &next, NULL)
                     : pgusher_queue_reserve(queue, 1, 0, &next);

    if (count < 0)
        return -1;
    pgusher_queue_batch_free(held);
    held = next;
    return count == 1 ? 0 : -2;
}

static int finish(struct pgusher_queue *queue)
{
    return pgusher_queue_ack(queue, held, NULL, 0, NULL) < 0 ? -1 : 0;
}

static int reserve_nothing(struct pgusher_queue *queue)
{
    struct pgusher_queue_batch *next = NULL;
    int count = pgusher_queue_reserve(queue, 1, 1, &next);

    pgusher_queue_batch_free(next);
    return count < 0 ? -1 : count == 0 ? 0 : -2;
}

static int wait(struct pgusher_queue *queue)
{
    int file = pgusher_queue_wait_begin(queue, 5000);

    if (file == -1)
        return -1;
    return pgusher_queue_wait_cancel(queue) < 0 ? -1 : 0;
}

static int push_later(struct pgusher_queue *queue)
{
    return pgusher_queue_push_later(queue, items, 1, NULL);
}

static int change(struct pgusher_queue *queue)
{
    bool done;

    return pgusher_queue_pause(queue, true) < 0 || pgusher_queue_pause(queue, false) < 0 ||
                   pgusher_queue_remove(queue, items, 1, &done) < 0 ||
                   pgusher_queue_replay(queue, items, 1, &done) < 0 || pgusher_queue_purge_dead(queue) < 0
               ? -1
               : 0;
}

static int purge(struct pgusher_queue *queue)
{
    return pgusher_queue_purge_all(queue) < 0 ? -1 : 0;
}

static const struct {
    const char *name;
    step_fn *fn;
    bool slow; /* told only when it is the one that fails */
} story[] = {
    {"push", push, false},
    {"reserve", reserve, false},
    {"heartbeat", heartbeat, false},
    {"ack", ack, false},
    {"nack", nack, false},
    {"release", release, false},
    {"each", each, false},
    {"stats", stats, false},
    {"recover", recover, false},
    {"replay", replay_all, false},
    {"reserve one", ack_reserve, false},
    {"ack and reserve", ack_reserve, false},
    {"ack all", finish, false},
    {"reserve and wait", reserve_nothing, true},
    {"wait", wait, true},
    {"push later", push_later, false},
    {"pause, remove", change, false},
    {"purge", purge, false},
};

/* The step fails as long as an allocation does, says so, and then works. Whether any did fail. */
static bool take(struct pgusher_queue *queue, size_t i, long n, int after)
{
    bool failed;
    int result;

    inject_arm(n, after);
    result = story[i].fn(queue);
    failed = inject_failed() > 0;
    inject_arm(0, 0);
    check(result != -1 || failed, story[i].name, n, "fails without a reason", queue);
    check(result != -1 || pgusher_queue_error(queue)[0], story[i].name, n, "fails and does not say why",
          queue);
    check(result != -1 || pgusher_queue_status(queue) == PGUSHER_QUEUE_AGAIN ||
              pgusher_queue_status(queue) == PGUSHER_QUEUE_LOST,
          story[i].name, n, "is not to be tried again", queue);
    for (int again = 0; result == -1 && again < 3; again++)
        result = story[i].fn(queue);
    check(result == 0, story[i].name, n,
          result == -2 ? "gives something else afterwards" : "does not work again", queue);
    return failed;
}

/* The story; in step `at` the n-th allocation fails. Whether any did. */
static bool tell(size_t at, long n, int after)
{
    struct pgusher_queue *queue = open_queue();
    bool failed = false;

    for (size_t i = 0; i < sizeof(story) / sizeof(story[0]); i++)
        if (i == at || !story[i].slow)
            failed |= take(queue, i, i == at ? n : 0, after);
    pgusher_queue_batch_free(held);
    held = NULL;
    pgusher_queue_close(queue);
    return failed;
}

static bool open_once(long n, int after)
{
    struct pgusher_queue *queue;
    bool failed;

    inject_arm(n, after);
    queue = open_queue();
    failed = inject_failed() > 0;
    inject_arm(0, 0);
    check(failed || queue, "open", n, "fails without a reason", NULL);
    pgusher_queue_close(queue);
    return failed;
}

static void end_step(const char *name, int after, long n, int bad_before, long kept)
{
    steps++;
    if (kept) {
        bad++;
        printf("# %s keeps %ld allocations\n", name, kept);
    }
    printf("%s %d - %s: %s of %ld allocations %s\n", bad == bad_before ? "ok" : "not ok", steps, name,
           after ? "each and all after it" : "each", n - 1, "may fail");
}

int main(int argc, char **argv)
{
    bool quick = argc == 3 && strcmp(argv[2], "quick") == 0;
    size_t nsteps = sizeof(story) / sizeof(story[0]);

    if (argc != 2 && !quick)
        return 64;
    address = argv[1];
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    puts("# what the C library keeps for good is there now");
    tell(nsteps, 0, 0);
    for (int after = 0; after < (quick ? 1 : 2); after++) {
        long live = inject_live(), n = 1;
        int before = bad;

        while (open_once(n, after))
            n++;
        end_step("open", after, n, before, inject_live() - live);
        for (size_t at = 0; at < nsteps; at++) {
            before = bad;
            for (n = 1; tell(at, n, after); n++)
                ;
            end_step(story[at].name, after, n, before, inject_live() - live);
            live = inject_live();
        }
    }
    printf("1..%d\n", steps);
    return bad > 0;
}
