/* common/rconn.h while it comes up, or does not. */
#include "common/rconn.h"

#include "unit_server.h"

enum { GUARD_MS = 3000 };

/* Client and server are both driven from here, so that what happens in one turn of the loop is known. */
static struct {
    struct loop *loop;
    struct timer *guard;
    struct timer *drop;
    struct io *asked; /* the server has something to read */
    struct rconn *rconn;
    struct redis_url url;
    int listener;
    int server;
    bool done;
    bool late;
    bool refused;
} bench;

static void on_guard(void *arg)
{
    (void)arg;
    bench.late = bench.done = true;
}

static void on_asked(void *arg, bool readable, bool writable)
{
    (void)arg, (void)readable, (void)writable;
    bench.done = true;
}

static void on_drop(void *arg)
{
    (void)arg;
    rconn_drop(bench.rconn, ST_LOST, "the test has had enough");
}

static void on_up(void *arg)
{
    (void)arg;
}

static void on_down(void *arg, const struct err *why)
{
    (void)arg, (void)why;
    bench.done = true;
}

static void on_answer(void *arg, const struct rreply *reply, const struct err *err)
{
    (void)arg, (void)reply;
    bench.refused = bench.done = err;
}

static void wait_for_it(void)
{
    bench.done = false;
    timer_start(bench.guard, GUARD_MS);
    loop_run_until(bench.loop, &bench.done);
    ck_assert(!bench.late);
}

/* Opens it, until it has asked its first question. */
static void begin(const char *scheme)
{
    static const struct rconn_handlers handlers = {on_up, on_down};
    struct err err = ERR_NONE;
    char url[64];
    int port;

    memset(&bench, 0, sizeof(bench));
    bench.loop = loop_new();
    bench.guard = timer_new(bench.loop, on_guard, NULL);
    bench.drop = timer_new(bench.loop, on_drop, NULL);
    bench.asked = io_new(bench.loop, on_asked, NULL);
    bench.listener = unit_listen(&port);
    snprintf(url, sizeof(url), "%s://127.0.0.1:%d", scheme, port);
    ck_assert_int_eq(redis_url_parse(url, &bench.url, &err), 0);
    bench.rconn = rconn_new(bench.loop, &handlers, NULL);
    rconn_open(bench.rconn, &bench.url);
    bench.server = accept(bench.listener, NULL, NULL);
    ck_assert_int_ge(bench.server, 0);
    io_set(bench.asked, bench.server, true, false);
    wait_for_it();
    io_set(bench.asked, -1, false, false);
}

static void end(void)
{
    rconn_free(bench.rconn);
    io_free(bench.asked);
    timer_free(bench.guard);
    timer_free(bench.drop);
    loop_free(bench.loop);
    redis_url_free(&bench.url);
    close(bench.server);
    close(bench.listener);
}

START_TEST(dropped_while_the_last_greeting_comes)
{
    const char *const words[] = {"PING"};

    begin("redis");
    ck_assert_int_eq(write(bench.server, ":0\r\n", 4), 4);
    timer_start(bench.drop, 0);
    usleep(2000); /* both are due, and timers come first */
    wait_for_it();
    ck_assert(!rconn_is_up(bench.rconn));
    rconn_send(bench.rconn, 0, 1, words, NULL, on_answer, NULL);
    wait_for_it();
    ck_assert(bench.refused);
    end();
}
END_TEST

START_TEST(where_a_route_leads_unless_up)
{
    begin("redis+cluster");
    ck_assert_uint_eq(rconn_primary_of(bench.rconn, 7), 0);
    rconn_drop(bench.rconn, ST_LOST, "the test has had enough");
    ck_assert_uint_eq(rconn_primary_of(bench.rconn, 7), 0);
    wait_for_it();
    ck_assert_uint_eq(rconn_primary_of(bench.rconn, 7), 0);
    ck_assert_uint_eq(rconn_primary_of(bench.rconn, RCONN_ANY), 0);
    end();
}
END_TEST

UNIT_MAIN("rconn", UNIT(dropped_while_the_last_greeting_comes), UNIT(where_a_route_leads_unless_up))
