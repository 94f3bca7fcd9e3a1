/* probe's main program and what its verbs share: see probe.h. */
#include "examples/ticketing/probe.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A row's text as pgusher writes it, whatever the server's settings are. */
static const char pin_session[] =
    "SET client_encoding = 'UTF8'; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; "
    "SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; SET extra_float_digits = 1; "
    "SET xmlbinary = 'base64'; SET lc_monetary = 'C'; SET jit = off; "
    "SET default_transaction_isolation = 'read committed'";

void die(int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("probe: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(status);
}

int64_t now_us(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int by_size(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

const char *grouped(int64_t number)
{
    static char texts[8][32];
    static unsigned next;
    char *text = texts[next++ % 8], *at = text + sizeof(texts[0]) - 1;

    *at = '\0';
    for (int digits = 0; digits == 0 || number > 0; digits++, number /= 10) {
        if (digits && digits % 3 == 0)
            *--at = ',';
        *--at = (char)('0' + number % 10);
    }
    return at;
}

PGresult *checked(PGconn *pg, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        die(EXIT_FAILURE, "PostgreSQL: %s", PQerrorMessage(pg));
    return result;
}

void run(PGconn *pg, const char *sql)
{
    PQclear(checked(pg, PQexec(pg, sql)));
}

static struct servers servers_connect(const char *conninfo, const char *socket)
{
    struct servers servers = {PQconnectdb(conninfo), redisConnectUnix(socket)};

    if (PQstatus(servers.pg) != CONNECTION_OK)
        die(EXIT_UNAVAILABLE, "PostgreSQL: %s", PQerrorMessage(servers.pg));
    if (!servers.redis || servers.redis->err)
        die(EXIT_UNAVAILABLE, "Redis at %s: %s", socket,
            servers.redis ? servers.redis->errstr : "out of memory");
    run(servers.pg, pin_session);
    return servers;
}

static void servers_close(struct servers *servers)
{
    PQfinish(servers->pg);
    redisFree(servers->redis);
}

redisReply *next_reply(redisContext *redis)
{
    void *reply;

    if (redisGetReply(redis, &reply) != REDIS_OK)
        die(EXIT_UNAVAILABLE, "Redis: %s", redis->errstr);
    return reply;
}

int main(int argc, char **argv)
{
    bool is_latency = argc == 6 && strcmp(argv[1], "latency") == 0;
    struct servers servers;
    int status;

    if (!is_latency && !(argc == 6 && strcmp(argv[1], "compare") == 0))
        die(EXIT_USAGE, "usage: probe latency CONNINFO REDIS-SOCKET RATE SECONDS\n"
                        "       probe compare CONNINFO REDIS-SOCKET EVENT-GRACE TICKET-GRACE");
    servers = servers_connect(argv[2], argv[3]);
    status = is_latency ? latency(&servers, argv[4], argv[5]) : compare(&servers, argv[4], argv[5]);
    servers_close(&servers);
    return status;
}
