/* loop_bare CONNINFO SOCKET DB: the least that can be done: for each notification SELECT the ticket's
 * document and HSET it. No queue, no expiry, no event document; nothing is right after anything went wrong. A
 * limit to compare latencies with.
 */
#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS 32

static PGconn *postgres;
static redisContext *redis;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "loop_bare: %s: %s\n", what, why);
    exit(1);
}

static PGresult *must(PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        die("PostgreSQL", PQerrorMessage(postgres));
    return result;
}

static void put(const char *id, PGresult *row)
{
    char key[64];
    const char *words[2 + 2 * COLUMNS] = {"HSET", key};
    size_t lengths[2 + 2 * COLUMNS] = {4, snprintf(key, sizeof(key), "ticket:%s", id)};
    int n = 2;
    redisReply *reply;

    for (int i = 0; i < PQnfields(row) && i < COLUMNS; i++) {
        words[n] = PQfname(row, i), lengths[n] = strlen(words[n]), n++;
        words[n] = PQgetvalue(row, 0, i), lengths[n] = PQgetlength(row, 0, i), n++;
    }
    reply = redisCommandArgv(redis, n, words, lengths);
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR)
        die("Redis", reply != NULL ? reply->str : redis->errstr);
    freeReplyObject(reply);
}

static void refresh(const char *id)
{
    PGresult *row = must(PQexecPrepared(postgres, "card", 1, &id, NULL, NULL, 0));

    if (PQntuples(row) == 1)
        put(id, row);
    PQclear(row);
}

static void follow(void)
{
    struct pollfd ready = {.fd = PQsocket(postgres), .events = POLLIN};
    PGnotify *notification;

    for (;;) {
        while ((notification = PQnotifies(postgres)) != NULL) {
            refresh(notification->extra);
            PQfreemem(notification);
        }
        poll(&ready, 1, -1);
        if (!PQconsumeInput(postgres))
            die("PostgreSQL", PQerrorMessage(postgres));
    }
}

int main(int argc, char **argv)
{
    if (argc != 4)
        die("usage", "loop_bare CONNINFO SOCKET DB");
    postgres = PQconnectdb(argv[1]);
    redis = redisConnectUnix(argv[2]);
    if (redis == NULL || redis->err)
        die("Redis", argv[2]);
    freeReplyObject(redisCommand(redis, "SELECT %s", argv[3]));
    PQclear(must(PQexec(postgres, "LISTEN bare")));
    PQclear(must(PQprepare(postgres, "card", "SELECT * FROM ticket_card WHERE id = $1", 1, NULL)));
    puts("ready");
    fflush(stdout);
    follow();
}
