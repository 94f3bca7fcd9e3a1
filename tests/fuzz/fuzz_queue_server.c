/* queue/pgusher-queue.h against a server that answers anything: whatever is called fails or gives what it
 * promises. First the calls, a line of letters; what is behind is what each connection gets for an answer,
 * and then its end. */
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz.h"
#include "queue/pgusher-queue.h"

enum { MAX_CALLS = 8, MAX_ITEMS = 4 };

/* ---- the server ---- */

enum { MAX_OPEN = 64 };

static struct {
    int listener;
    char folder[32];
    char address[80];
    pthread_mutex_t lock; /* over: */
    const uint8_t *answer;
    size_t len;
    int open[MAX_OPEN]; /* to the end of the run: an end with something unread would take the answer away */
    size_t count;
} server = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void set_answer(const uint8_t *bytes, size_t len)
{
    pthread_mutex_lock(&server.lock);
    while (server.count)
        close(server.open[--server.count]);
    server.answer = bytes;
    server.len = len;
    pthread_mutex_unlock(&server.lock);
}

/* What does not fit the socket is not sent. */
static void answer(int fd)
{
    pthread_mutex_lock(&server.lock);
    send(fd, server.answer, server.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(fd, SHUT_WR);
    if (server.count < MAX_OPEN)
        server.open[server.count++] = fd;
    else
        close(fd);
    pthread_mutex_unlock(&server.lock);
}

static void *serve(void *arg)
{
    int fd;

    while ((fd = accept(server.listener, NULL, NULL)) >= 0)
        answer(fd);
    return arg;
}

static void remove_socket(void)
{
    unlink(server.address + strlen("unix://"));
    rmdir(server.folder);
}

static void start_server(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    pthread_t thread;

    strcpy(server.folder, "/tmp/pgusher-fuzz-XXXXXX");
    must(mkdtemp(server.folder), "no folder");
    snprintf(server.address, sizeof(server.address), "unix://%s/s", server.folder);
    snprintf(name.sun_path, sizeof(name.sun_path), "%s/s", server.folder);
    atexit(remove_socket);
    server.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(bind(server.listener, (struct sockaddr *)&name, sizeof(name)) == 0 &&
             listen(server.listener, 64) == 0,
         "no socket");
    must(pthread_create(&thread, NULL, serve, NULL) == 0, "no thread");
    pthread_detach(thread);
}

/* ---- the calls ---- */

static const struct pgusher_queue_item items[MAX_ITEMS] = {
    {"a", 1}, {"event:77", 8}, {"\0\xff", 2}, {"{x}", 3}};

static void check_batch(struct pgusher_queue *queue, struct pgusher_queue_batch *batch, int count)
{
    if (count <= 0) {
        must(!batch, "nothing was reserved, but there is a batch");
        return;
    }
    must(batch && pgusher_queue_batch_count(batch) == (size_t)count, "%d are reserved", count);
    for (size_t i = 0; i < (size_t)count; i++) {
        size_t len;
        const char *item = pgusher_queue_batch_item(batch, i, &len);
        char *copy = exactly(item, len);

        must(item[len] == '\0' && !pgusher_queue_batch_settled(batch, i), "item %zu", i);
        pgusher_queue_batch_attempt(batch, i);
        free(copy);
    }
    pgusher_queue_batch_token(batch);
    must(pgusher_queue_ack(queue, batch, NULL, 0, NULL) >= -1, "acked");
}

static bool take_entry(void *arg, const struct pgusher_queue_entry *entry)
{
    char *copy = exactly(entry->item, entry->len);

    (void)arg;
    must(entry->reason, "no reason");
    free(copy);
    return true;
}

static void reserve(struct pgusher_queue *queue, struct pgusher_queue_batch **batch)
{
    struct pgusher_queue_batch *done = *batch;
    int count;

    *batch = NULL;
    if (done)
        count = pgusher_queue_ack_reserve(queue, done, MAX_ITEMS, batch, NULL);
    else
        count = pgusher_queue_reserve(queue, MAX_ITEMS, 0, batch);
    pgusher_queue_batch_free(done);
    check_batch(queue, *batch, count);
}

static void stats(struct pgusher_queue *queue)
{
    struct pgusher_queue_stats figures;

    if (pgusher_queue_stats(queue, &figures) != 0)
        return;
    for (size_t i = 0; i < figures.nconsumers; i++)
        must(figures.consumers[i].name, "consumer %zu", i);
    pgusher_queue_stats_free(&figures);
}

static void push(struct pgusher_queue *queue)
{
    enum pgusher_queue_pushed outcomes[MAX_ITEMS];
    int result = pgusher_queue_push(queue, items, MAX_ITEMS, outcomes);

    for (size_t i = 0; result == 0 && i < MAX_ITEMS; i++)
        must(outcomes[i] <= PGUSHER_QUEUE_REVIVED, "item %zu became %d", i, (int)outcomes[i]);
}

static void call(struct pgusher_queue *queue, struct pgusher_queue_batch **batch, char letter)
{
    bool done[MAX_ITEMS];

    switch (letter) {
    case 'r':
        reserve(queue, batch);
        break;
    case 'p':
        push(queue);
        break;
    case 'n':
        if (*batch)
            pgusher_queue_nack(queue, *batch, NULL, 0, "why", PGUSHER_QUEUE_BACKOFF);
        break;
    case 'l':
        if (*batch)
            pgusher_queue_release(queue, *batch, NULL, 0);
        break;
    case 'h':
        pgusher_queue_heartbeat(queue);
        break;
    case 'w':
        if (pgusher_queue_wait_begin(queue, 1) >= 0)
            pgusher_queue_wait_end(queue);
        break;
    case 's':
        stats(queue);
        break;
    case 'e':
        pgusher_queue_each(queue, PGUSHER_QUEUE_WAITING, 0, MAX_ITEMS, take_entry, NULL);
        break;
    case 'd':
        pgusher_queue_each(queue, PGUSHER_QUEUE_DEAD, 0, MAX_ITEMS, take_entry, NULL);
        break;
    case 'R':
        pgusher_queue_recover(queue);
        break;
    case 'y':
        pgusher_queue_replay(queue, items, MAX_ITEMS, done);
        break;
    case 'Y':
        pgusher_queue_replay_all(queue);
        break;
    case 'm':
        pgusher_queue_remove(queue, items, MAX_ITEMS, done);
        break;
    case 'D':
        pgusher_queue_purge_dead(queue);
        break;
    case 'A':
        pgusher_queue_purge_all(queue);
        break;
    case 'P':
        pgusher_queue_pause(queue, true);
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    char *calls = input_line(&input), error[200];
    struct pgusher_queue_options options = {.queue = "{q}", .timeout_ms = 1000, .max_failures = 3};
    struct pgusher_queue_batch *batch = NULL;
    struct pgusher_queue *queue;

    if (!server.listener)
        start_server();
    set_answer(input.at, input.left);
    options.redis = server.address;
    queue = pgusher_queue_new(&options, error, sizeof(error));
    must(queue, "%s", error);
    for (size_t i = 0; i < MAX_CALLS && calls[i]; i++) {
        call(queue, &batch, calls[i]);
        must(is_utf8(pgusher_queue_error(queue), strlen(pgusher_queue_error(queue))), "%s",
             pgusher_queue_error(queue));
    }
    pgusher_queue_batch_free(batch);
    pgusher_queue_close(queue);
    free(calls);
    set_answer(NULL, 0);
    return 0;
}
