/* latency CONNINFO SOCKET DB RATE COUNT FIRST: changes COUNT tickets from the id FIRST, RATE of them a
 * second, each once and in a transaction of its own, and reports how long each took from its commit until
 * Redis had the hash.
 *
 * Redis tells by a keyspace notification, which is sent when the command that wrote the hash is done, so
 * nobody has to ask again and again. The commit counts from the moment at which PostgreSQL answered, so an
 * age can be a little below 0. Who has not come 2 s after the last commit counts with the age it has then, in
 * "missing" too. See turn.h.
 */
#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "turn.h"

#define WRITERS 4
#define PATIENCE_NS INT64_C(2000000000)

struct writer {
    PGconn *postgres;
    long next, last, rate;
};

static long first, count;
static int64_t *committed_ns, *readable_ns;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "latency: %s: %s\n", what, why);
    exit(1);
}

static void writer_open(struct writer *writer, const char *conninfo)
{
    PGresult *result;

    writer->postgres = PQconnectdb(conninfo);
    result =
        PQprepare(writer->postgres, "change", "UPDATE ticket SET price = price + 1 WHERE id = $1", 1, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        die("PostgreSQL", PQerrorMessage(writer->postgres));
    PQclear(result);
}

static void writer_change(void *context)
{
    struct writer *writer = context;
    char id[24];
    const char *values[] = {id};
    PGresult *result;

    snprintf(id, sizeof(id), "%ld", first + writer->next);
    result = PQexecPrepared(writer->postgres, "change", 1, values, NULL, NULL, 0);
    committed_ns[writer->next++] = turn_now_ns();
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        die("UPDATE", PQerrorMessage(writer->postgres));
    PQclear(result);
}

static void *writer_run(void *context)
{
    struct writer *writer = context;

    turn_pace(writer->rate, writer->last - writer->next, writer_change, writer);
    return NULL;
}

/* A message of the pattern __keyspace@DB__:ticket:ID. What else is done to the hash, as its expiry, does not
 * count. */
static void message_seen(const redisReply *message, int64_t now_ns)
{
    const char *event = message->elements == 4 ? message->element[3]->str : "";
    bool is_write = strcmp(event, "hset") == 0 || strcmp(event, "restore") == 0;
    const char *id = is_write ? strrchr(message->element[2]->str, ':') : NULL;
    long which = id != NULL ? atol(id + 1) - first : -1;

    if (which >= 0 && which < count && readable_ns[which] == 0)
        readable_ns[which] = now_ns;
}

static long seen(void)
{
    long n = 0;

    for (long i = 0; i < count; i++)
        n += readable_ns[i] != 0;
    return n;
}

/* All messages that one read brought came at the same time. */
static void listen_once(redisContext *redis)
{
    struct pollfd ready = {.fd = redis->fd, .events = POLLIN};
    void *reply;

    if (poll(&ready, 1, 20) <= 0)
        return;
    if (redisBufferRead(redis) != REDIS_OK)
        die("Redis", redis->errstr);
    for (int64_t now_ns = turn_now_ns();; freeReplyObject(reply)) {
        if (redisGetReplyFromReader(redis, &reply) != REDIS_OK)
            die("Redis", redis->errstr);
        if (reply == NULL)
            return;
        message_seen(reply, now_ns);
    }
}

static redisContext *subscribe(const char *socket, const char *db)
{
    redisContext *redis = redisConnectUnix(socket);
    void *reply = NULL;

    if (redis == NULL || redis->err)
        die("Redis", socket);
    freeReplyObject(redisCommand(redis, "CONFIG SET notify-keyspace-events Kgh"));
    reply = redisCommand(redis, "PSUBSCRIBE __keyspace@%s__:ticket:*", db);
    if (reply == NULL)
        die("Redis", redis->errstr);
    freeReplyObject(reply);
    return redis;
}

static int64_t last_commit(void)
{
    int64_t last_ns = 0;

    for (long i = 0; i < count; i++)
        last_ns = committed_ns[i] > last_ns ? committed_ns[i] : last_ns;
    return last_ns;
}

static void report(int64_t end_ns)
{
    printf("{\"missing\": %ld, \"ages\": [", count - seen());
    for (long i = 0; i < count; i++)
        printf("%s%" PRId64, i == 0 ? "" : ", ",
               (readable_ns[i] != 0 ? readable_ns[i] : end_ns) - committed_ns[i]);
    puts("]}");
}

static bool all_written(pthread_t *threads)
{
    static int joined;

    while (joined < WRITERS && pthread_tryjoin_np(threads[joined], NULL) == 0)
        joined++;
    return joined == WRITERS;
}

int main(int argc, char **argv)
{
    struct writer writers[WRITERS] = {0};
    pthread_t threads[WRITERS];
    redisContext *redis;

    if (argc != 7)
        die("usage", "latency CONNINFO SOCKET DB RATE COUNT FIRST");
    count = atol(argv[5]), first = atol(argv[6]);
    committed_ns = calloc(count, sizeof(*committed_ns)), readable_ns = calloc(count, sizeof(*readable_ns));
    redis = subscribe(argv[2], argv[3]);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){
            .next = count * i / WRITERS, .last = count * (i + 1) / WRITERS, .rate = atol(argv[4]) / WRITERS};
        writer_open(&writers[i], argv[1]);
    }
    turn_begin();
    for (int i = 0; i < WRITERS; i++)
        pthread_create(&threads[i], NULL, writer_run, &writers[i]);
    while (!all_written(threads))
        listen_once(redis);
    while (seen() < count && turn_now_ns() < last_commit() + PATIENCE_NS)
        listen_once(redis);
    report(turn_now_ns());
    return 0;
}
