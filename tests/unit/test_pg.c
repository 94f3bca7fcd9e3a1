/* common/pg.h against a server that answers any query with nothing. */
#include "common/pg.h"

#include "unit_server.h"

enum { GUARD_MS = 3000 };

static struct {
    struct loop *loop;
    struct timer *guard;
    struct pg *pg;
    struct buf answered; /* names of requests, in the order of their answers */
    size_t awaited;
    bool done;
    pid_t server;
} bench;

/* ---- the server ---- */

#define READY "Z\0\0\0\5I"
#define WELCOME "R\0\0\0\10\0\0\0\0" READY
#define NOTHING "I\0\0\0\4" READY

/* What it reads at once is one message, because the other side waits for each answer. */
static void serve(int fd, const void *arg)
{
    const char *answer = WELCOME;
    size_t len = sizeof(WELCOME) - 1;
    char message[4096];

    (void)arg;
    while (read(fd, message, sizeof(message)) > 0 && message[0] != 'X' &&
           write(fd, answer, len) == (ssize_t)len) {
        answer = NOTHING;
        len = sizeof(NOTHING) - 1;
    }
}

/* ---- the client ---- */

static void on_guard(void *arg)
{
    (void)arg;
    bench.done = true;
}

static void on_answer(void *arg, const struct pg_rows *rows, const struct err *err)
{
    (void)rows;
    ck_assert_msg(!err, "%s", err ? err->text : "");
    buf_puts(&bench.answered, arg);
    bench.done = --bench.awaited == 0;
}

static void ask(const char *name)
{
    struct pg_query query = {.sql = "", .script = true};

    bench.awaited++;
    pg_send(bench.pg, &query, on_answer, (void *)name);
}

static void on_up(void *arg)
{
    (void)arg;
    ask(" up");
}

static void on_down(void *arg, const struct err *why)
{
    (void)arg;
    ck_abort_msg("%s", why->text);
}

static void begin(void)
{
    static const struct pg_handlers handlers = {on_up, on_down, NULL};
    char conninfo[128];
    struct pg_target target = {conninfo, NULL, "unit"};
    int port;

    memset(&bench, 0, sizeof(bench));
    bench.server = unit_serve(serve, NULL, &port);
    snprintf(conninfo, sizeof(conninfo),
             "host=127.0.0.1 port=%d dbname=x user=x sslmode=disable gssencmode=disable", port);
    bench.loop = loop_new();
    bench.guard = timer_new(bench.loop, on_guard, NULL);
    bench.pg = pg_new(bench.loop, &handlers, NULL);
    pg_open(bench.pg, &target);
}

static void end(void)
{
    pg_free(bench.pg);
    timer_free(bench.guard);
    loop_free(bench.loop);
    buf_free(&bench.answered);
    unit_server_end(bench.server);
}

START_TEST(what_is_asked_while_connecting_is_sent)
{
    begin();
    ask("first");
    ask(" second");
    timer_start(bench.guard, GUARD_MS);
    loop_run_until(bench.loop, &bench.done);
    ck_assert_uint_eq(bench.awaited, 0);
    ck_assert_str_eq(bench.answered.data, "first second up");
    end();
}
END_TEST

UNIT_MAIN("pg", UNIT(what_is_asked_while_connecting_is_sent))
