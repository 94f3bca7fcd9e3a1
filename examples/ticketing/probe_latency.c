/* What takes the time, and how the latencies come out: see probe.h. */
#include "examples/ticketing/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Asking without a pause would take the processor from those who are to be measured. */
enum { PAUSE_US = 50, WAIT_LIMIT_US = 5000000 };

static void sleep_until_us(int64_t at)
{
    struct timespec ts = {.tv_sec = at / 1000000, .tv_nsec = at % 1000000 * 1000};

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static bool shows(redisContext *redis, const char *id, const char *price)
{
    redisReply *reply;
    bool same;

    redisAppendCommand(redis, "HGET ticket:%s price", id);
    reply = next_reply(redis);
    same = reply->type == REDIS_REPLY_STRING && strcmp(reply->str, price) == 0;
    freeReplyObject(reply);
    return same;
}

static int64_t measure_one(const struct servers *servers, const char *id)
{
    PGresult *raised = checked(servers->pg, PQexecPrepared(servers->pg, "raise", 1, &id, NULL, NULL, 0));
    int64_t committed = now_us(CLOCK_MONOTONIC);

    if (PQntuples(raised) != 1)
        die(EXIT_FAILURE, "ticket %s is gone: something else changes the database", id);
    while (!shows(servers->redis, id, PQgetvalue(raised, 0, 0))) {
        int64_t now = now_us(CLOCK_MONOTONIC);

        if (now - committed > WAIT_LIMIT_US)
            die(EXIT_FAILURE, "ticket:%s does not show the price %s after %d s", id, PQgetvalue(raised, 0, 0),
                WAIT_LIMIT_US / 1000000);
        sleep_until_us(now + PAUSE_US);
    }
    PQclear(raised);
    return now_us(CLOCK_MONOTONIC) - committed;
}

static PGresult *pick_tickets(PGconn *pg, const char *how_many)
{
    PGresult *picked =
        checked(pg, PQexecParams(pg,
                                 "SELECT id FROM ticket_card WHERE starts_at > now() + interval '1 day' "
                                 "ORDER BY hashint8(id) LIMIT $1",
                                 1, NULL, &how_many, NULL, NULL, 0));

    if (PQntuples(picked) == 0)
        die(EXIT_FAILURE, "no ticket of an upcoming event is there");
    PQclear(checked(pg, PQprepare(pg, "raise",
                                  "UPDATE ticket SET price = price + 0.01 WHERE id = $1 RETURNING price", 1,
                                  NULL)));
    return picked;
}

static void print_latencies(int64_t *us, int count, double seconds)
{
    qsort(us, (size_t)count, sizeof(*us), by_size);
    printf("p50 %.2f ms   p99 %.2f ms   max %.2f ms   (%s changes, %.0f a second)\n",
           (double)us[count / 2] / 1e3, (double)us[count * 99 / 100] / 1e3, (double)us[count - 1] / 1e3,
           grouped(count), count / seconds);
}

int latency(const struct servers *servers, const char *rate_text, const char *seconds_text)
{
    int rate = atoi(rate_text), wanted = rate * atoi(seconds_text);
    char how_many[16];
    PGresult *tickets;
    int64_t *us, started;

    if (rate < 1 || wanted < 1)
        die(EXIT_USAGE, "RATE and SECONDS must be whole numbers above 0");
    snprintf(how_many, sizeof(how_many), "%d", wanted);
    tickets = pick_tickets(servers->pg, how_many);
    us = calloc((size_t)wanted, sizeof(*us));
    started = now_us(CLOCK_MONOTONIC);
    for (int i = 0; us && i < wanted; i++) {
        sleep_until_us(started + (int64_t)i * 1000000 / rate);
        us[i] = measure_one(servers, PQgetvalue(tickets, i % PQntuples(tickets), 0));
    }
    if (us)
        print_latencies(us, wanted, (double)(now_us(CLOCK_MONOTONIC) - started) / 1e6);
    free(us);
    PQclear(tickets);
    return EXIT_SUCCESS;
}
