/* common/loop.h */
#include "common/loop.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "common/clock.h"

#include "unit.h"

enum { GUARD_MS = 1000, SILENCE_MS = 30 };

/* What happened, one letter per event. A guard ends each wait, so that a lost event fails and does not hang.
 */
static struct {
    struct loop *loop;
    struct timer *guard;
    bool done;
    char seen[32];
    size_t count;
} bench;

static void note(char event)
{
    ck_assert_uint_lt(bench.count + 1, sizeof(bench.seen));
    bench.seen[bench.count++] = event;
    bench.seen[bench.count] = '\0';
}

/* The argument of on_event for this letter. */
static void *letter(char event)
{
    static char letters[] = "abcdefghijklmnopqrstuvwxyz";

    return strchr(letters, event);
}

static void on_event(void *arg)
{
    note(*(const char *)arg);
}

static void on_last_event(void *arg)
{
    on_event(arg);
    bench.done = true;
}

static void on_guard(void *arg)
{
    (void)arg;
    note('!');
    bench.done = true;
}

static void begin(void)
{
    memset(&bench, 0, sizeof(bench));
    bench.loop = loop_new();
    bench.guard = timer_new(bench.loop, on_guard, NULL);
    timer_start(bench.guard, GUARD_MS);
}

static void end(void)
{
    timer_free(bench.guard);
    loop_free(bench.loop);
}

/* Runs until done, then checks what was seen; "!" in it is the guard. */
static void assert_seen(const char *events)
{
    loop_run_until(bench.loop, &bench.done);
    ck_assert_str_eq(bench.seen, events);
}

/* Checks that nothing more happens for a while. */
static void assert_silence(void)
{
    bench.done = false;
    bench.count = 0;
    timer_start(bench.guard, SILENCE_MS);
    assert_seen("!");
}

/* ---- timers ---- */

START_TEST(timer_fires_once_and_not_early)
{
    int64_t start;
    struct timer *timer;

    begin();
    timer = timer_new(bench.loop, on_last_event, letter('a'));
    ck_assert(!timer_active(timer));
    start = clock_mono_ms();
    timer_start(timer, 20);
    ck_assert(timer_active(timer));
    assert_seen("a");
    ck_assert_int_ge(clock_mono_ms() - start, 19);
    ck_assert(!timer_active(timer));
    assert_silence();
    timer_free(timer);
    end();
}
END_TEST

START_TEST(timers_fire_in_order)
{
    struct timer *timers[3];

    begin();
    timers[0] = timer_new(bench.loop, on_last_event, letter('c'));
    timers[1] = timer_new(bench.loop, on_event, letter('a'));
    timers[2] = timer_new(bench.loop, on_event, letter('b'));
    timer_start(timers[0], 30);
    timer_start(timers[1], 0);
    timer_start(timers[2], 15);
    assert_seen("abc");
    for (int i = 0; i < 3; i++)
        timer_free(timers[i]);
    end();
}
END_TEST

START_TEST(timer_restart_puts_it_off)
{
    struct timer *a, *b;

    begin();
    a = timer_new(bench.loop, on_last_event, letter('a'));
    b = timer_new(bench.loop, on_event, letter('b'));
    timer_start(a, 5);
    timer_start(b, 15);
    timer_start(a, 30);
    assert_seen("ba");
    timer_free(a);
    timer_free(b);
    end();
}
END_TEST

START_TEST(stopped_and_freed_timers_are_silent)
{
    struct timer *stopped, *freed;

    begin();
    stopped = timer_new(bench.loop, on_event, letter('a'));
    freed = timer_new(bench.loop, on_event, letter('b'));
    timer_start(stopped, 1);
    timer_start(freed, 1);
    timer_stop(stopped);
    timer_free(freed);
    ck_assert(!timer_active(stopped));
    assert_silence();
    timer_free(stopped);
    timer_free(NULL);
    end();
}
END_TEST

static void free_the_timer(void *arg)
{
    struct timer **timer = arg;

    timer_free(*timer);
    note('f');
    bench.done = true;
}

START_TEST(timer_may_free_itself)
{
    struct timer *timer;

    begin();
    timer = timer_new(bench.loop, free_the_timer, &timer);
    timer_start(timer, 1);
    assert_seen("f");
    end();
}
END_TEST

/* ---- deferred calls ---- */

static void defer_two(void *arg)
{
    (void)arg;
    loop_defer(bench.loop, on_event, letter('b'));
    loop_defer(bench.loop, on_last_event, letter('c'));
    note('a');
}

START_TEST(deferred_calls_run_in_order_behind_the_callback)
{
    struct timer *timer;

    begin();
    timer = timer_new(bench.loop, defer_two, NULL);
    timer_start(timer, 1);
    assert_seen("abc");
    timer_free(timer);
    end();
}
END_TEST

START_TEST(deferred_calls_may_defer)
{
    begin();
    loop_defer(bench.loop, defer_two, NULL);
    loop_run_once(bench.loop);
    ck_assert_str_eq(bench.seen, "abc");
    end();
}
END_TEST

START_TEST(a_deferred_call_alone_ends_the_wait)
{
    begin();
    loop_defer(bench.loop, on_last_event, letter('a'));
    assert_seen("a");
    end();
}
END_TEST

START_TEST(loop_free_runs_what_is_deferred)
{
    begin();
    loop_defer(bench.loop, defer_two, NULL);
    end();
    ck_assert_str_eq(bench.seen, "abc");
    loop_free(NULL);
}
END_TEST

/* ---- running ---- */

static void stop(void *arg)
{
    on_event(arg);
    loop_stop(bench.loop);
}

START_TEST(loop_run_ends_at_loop_stop)
{
    struct timer *timer;

    begin();
    timer = timer_new(bench.loop, stop, letter('a'));
    for (int i = 0; i < 2; i++) {
        timer_start(timer, 1);
        loop_run(bench.loop);
    }
    loop_defer(bench.loop, stop, letter('b'));
    loop_run(bench.loop);
    ck_assert_str_eq(bench.seen, "aab");
    timer_free(timer);
    end();
}
END_TEST

START_TEST(run_until_does_not_run_when_done)
{
    begin();
    loop_defer(bench.loop, on_event, letter('a'));
    bench.done = true;
    loop_run_until(bench.loop, &bench.done);
    ck_assert_str_eq(bench.seen, "");
    end();
}
END_TEST

/* ---- signals ---- */

static void on_signal(void *arg, int signo)
{
    ck_assert_ptr_eq(arg, &bench);
    note(signo == SIGUSR1 ? '1' : '2');
    bench.done = signo == SIGUSR2;
}

START_TEST(signals_are_ordinary_events)
{
    begin();
    loop_on_signal(bench.loop, SIGUSR1, on_signal, &bench);
    loop_on_signal(bench.loop, SIGUSR2, on_signal, &bench);
    raise(SIGUSR1);
    ck_assert_str_eq(bench.seen, "");
    loop_run_once(bench.loop);
    ck_assert_str_eq(bench.seen, "1");
    raise(SIGUSR2);
    assert_seen("12");
    end();
}
END_TEST

UNIT_MAIN("loop", UNIT(timer_fires_once_and_not_early), UNIT(timers_fire_in_order),
          UNIT(timer_restart_puts_it_off), UNIT(stopped_and_freed_timers_are_silent),
          UNIT(timer_may_free_itself), UNIT(deferred_calls_run_in_order_behind_the_callback),
          UNIT(deferred_calls_may_defer), UNIT(a_deferred_call_alone_ends_the_wait),
          UNIT(loop_free_runs_what_is_deferred), UNIT(loop_run_ends_at_loop_stop),
          UNIT(run_until_does_not_run_when_done), UNIT(signals_are_ordinary_events))
