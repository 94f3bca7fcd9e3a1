#include "common/script_send.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

struct sent {
    struct script_call *call;
    struct rconn *rconn;
    int route;
    rconn_fn *fn;
    void *arg;
};

static void send_as(struct sent *sent, enum script_verb verb, rconn_fn *fn)
{
    struct buf command = BUF_NONE;

    script_encode(sent->call, verb, &command);
    rconn_send_raw(sent->rconn, sent->route, command.data, command.len, fn, sent);
    buf_free(&command);
}

static void on_answer(void *arg, const struct rreply *reply, const struct err *err)
{
    struct sent *sent = arg;

    sent->fn(sent->arg, reply, err);
    script_call_free(sent->call);
    free(sent);
}

static void on_first_answer(void *arg, const struct rreply *reply, const struct err *err)
{
    struct sent *sent = arg;

    if (err && strncmp(err->text, "Redis: NOSCRIPT", 15) == 0)
        send_as(sent, SCRIPT_EVAL, on_answer);
    else
        on_answer(sent, reply, err);
}

void script_send(struct script_call *call, struct rconn *rconn, rconn_fn *fn, void *arg)
{
    struct sent *sent = mem_alloc(sizeof(*sent));
    size_t len;
    const char *key = script_first_key(call, &len);

    *sent = (struct sent){call, rconn, rconn_route(rconn, key, len), fn, arg};
    send_as(sent, SCRIPT_EVALSHA, on_first_answer);
}
