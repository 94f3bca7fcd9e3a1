/* How a contestant takes its turn: it says "ready" when it is connected, starts at the next line on stdin,
 * and says what it found as one line of JSON. Times are in ns, of CLOCK_MONOTONIC, which all processes of a
 * machine share.
 */
#ifndef PGUSHER_BENCH_TURN_H
#define PGUSHER_BENCH_TURN_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline int64_t turn_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Ends the program when nobody is there any more to say "go". */
static inline int64_t turn_begin(void)
{
    int byte;

    puts("ready");
    fflush(stdout);
    while ((byte = getchar()) != '\n')
        if (byte == EOF)
            exit(1);
    return turn_now_ns();
}

static inline void turn_report(size_t count, int64_t start_ns, int64_t end_ns)
{
    printf("{\"count\": %zu, \"start\": %" PRId64 ", \"end\": %" PRId64 "}\n", count, start_ns, end_ns);
    fflush(stdout);
}

static inline void turn_report_ages(const int64_t *ages_ns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("%s%" PRId64, i == 0 ? "{\"ages\": [" : ", ", ages_ns[i]);
    puts("]}");
}

/* Calls send(context) `rate` times a second, at fixed times: a late one does not delay the next. */
static inline void turn_pace(long rate, long count, void (*send)(void *context), void *context)
{
    int64_t due_ns = turn_now_ns();

    for (long i = 0; i < count; i++, due_ns += 1000000000 / rate) {
        struct timespec due = {due_ns / 1000000000, due_ns % 1000000000};

        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
        send(context);
    }
}

#endif
