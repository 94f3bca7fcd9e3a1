/* queue/consume_nodes.h against a server that answers any command with the same. */
#include "queue/consume_nodes.h"

#include "common/clock.h"

#include "unit_server.h"

enum { TIMEOUT_MS = 300 };

static struct {
    struct nodes *nodes;
    pid_t server;
} bench;

static void serve(int fd, const void *answer)
{
    char command[4096];

    while (read(fd, command, sizeof(command)) > 0 && write(fd, answer, strlen(answer)) >= 0)
        ;
}

static void begin(const char *answer)
{
    struct err err = ERR_NONE;
    struct redis_url url;
    char text[64];
    int port;

    bench.server = unit_serve(serve, answer, &port);
    snprintf(text, sizeof(text), "redis://127.0.0.1:%d", port);
    ck_assert_int_eq(redis_url_parse(text, &url, &err), 0);
    bench.nodes = nodes_new(&url, TIMEOUT_MS);
}

static void end(void)
{
    nodes_free(bench.nodes);
    unit_server_end(bench.server);
}

static const char *const answers[] = {
    "$1\r\nx\r\n",        "-ERR no\r\n",     "-MOVED 1 nowhere\r\n",
    "-MOVED 1 host:\r\n", "-ASK 1 nope\r\n", "-MOVED \r\n",
};

START_TEST(what_leads_nowhere_is_the_answer)
{
    struct question question = {.verb = "GET", .key = "k", .len = 1};
    struct err err = ERR_NONE;

    begin(answers[_i]);
    ck_assert_msg(nodes_ask(bench.nodes, &question, 1, &err) == 0, "%s", err.text);
    ck_assert_int_eq(question.reply->str[0], answers[_i][0] == '$' ? 'x' : answers[_i][1]);
    freeReplyObject(question.reply);
    end();
}
END_TEST

static int ask_once(struct err *err)
{
    struct question question = {.verb = "GET", .key = "k", .len = 1};
    int failed = nodes_ask(bench.nodes, &question, 1, err);

    freeReplyObject(question.reply);
    return failed;
}

START_TEST(one_that_hangs_is_waited_for_once)
{
    struct err first = ERR_NONE, err = ERR_NONE;
    int64_t began_ms;

    begin("");
    ck_assert_int_eq(ask_once(&first), -1);
    began_ms = clock_mono_ms();
    for (int i = 0; i < 8; i++) {
        err_clear(&err);
        ck_assert_int_eq(ask_once(&err), -1);
        ck_assert_int_eq(err.status, ST_AGAIN);
    }
    ck_assert_int_lt(clock_mono_ms() - began_ms, TIMEOUT_MS);
    end();
}
END_TEST

UNIT_MAIN("consume_nodes", UNIT_ROWS(what_leads_nowhere_is_the_answer, answers),
          UNIT(one_that_hangs_is_waited_for_once))
