#include "cdc/errands.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/redis_error.h"
#include "common/script_send.h"

enum { CALL_WORDS = 1000 }; /* a script call stays short, so that Redis serves others in between */

struct errand {
    struct errands *errands;
    struct script_call *call;
    int route;
    size_t words;
    size_t *subjects;
    size_t count;
    size_t capacity;
};

struct errands {
    struct rconn *rconn;
    const struct script *script;
    errands_answer_fn *answer;
    void (*done)(void *arg);
    void *arg;
    struct errand **open; /* being filled, each of another route */
    size_t nopen;
    size_t open_capacity;
    size_t outstanding;
    bool idle;
    struct err err;
};

struct errands *errands_new(struct rconn *rconn, void (*done)(void *arg), void *arg)
{
    struct errands *errands = mem_zalloc(sizeof(*errands));

    errands->rconn = rconn;
    errands->done = done;
    errands->arg = arg;
    errands->idle = true;
    return errands;
}

static void errand_free(struct errand *errand)
{
    script_call_free(errand->call);
    free(errand->subjects);
    free(errand);
}

void errands_free(struct errands *errands)
{
    if (!errands)
        return;
    loop_run_until(rconn_loop(errands->rconn), &errands->idle);
    for (size_t i = 0; i < errands->nopen; i++)
        errand_free(errands->open[i]);
    free(errands->open);
    free(errands);
}

void errands_use(struct errands *errands, const struct script *script, errands_answer_fn *answer)
{
    errands->script = script;
    errands->answer = answer;
}

bool errands_idle(const struct errands *errands)
{
    return errands->idle;
}

bool errands_failed(const struct errands *errands)
{
    return errands->err.status != ST_OK;
}

/* ---- answers ---- */

static void take_answer(struct errands *errands, size_t subject, const struct rreply *reply)
{
    if (rreply_type(reply) == RREPLY_ERROR) {
        const char *text = rreply_string(reply, NULL);
        enum status status = redis_error_classify(text);

        if (status != ST_REFUSED) {
            err_set(&errands->err, status, "Redis: %s", text);
            return;
        }
    }
    errands->answer(errands->arg, subject, reply);
}

static void on_answered(void *arg, const struct rreply *reply, const struct err *err)
{
    struct errand *errand = arg;
    struct errands *errands = errand->errands;

    if (err)
        err_copy(&errands->err, err);
    else if (rreply_count(reply) != errand->count)
        err_set(&errands->err, ST_LOST, "Redis: a script gave %zu answers to %zu questions",
                rreply_count(reply), errand->count);
    else
        for (size_t i = 0; i < errand->count; i++)
            take_answer(errands, errand->subjects[i], rreply_at(reply, i));
    errand_free(errand);
    errands->outstanding--;
    errands->idle = errands->outstanding == 0;
    if (errands->idle)
        errands->done(errands->arg);
}

/* ---- calls ---- */

static void send_one(struct errands *errands, struct errand *errand)
{
    struct script_call *call = errand->call;

    errand->call = NULL;
    errands->outstanding++;
    errands->idle = false;
    script_send(call, errands->rconn, on_answered, errand);
}

void errands_send(struct errands *errands)
{
    for (size_t i = 0; i < errands->nopen; i++)
        send_one(errands, errands->open[i]);
    errands->nopen = 0;
}

static struct errand *errand_new(struct errands *errands, int route)
{
    struct errand *errand = mem_zalloc(sizeof(*errand));

    errand->errands = errands;
    errand->route = route;
    errand->call = script_call_new(errands->script);
    return errand;
}

static struct errand *with_room(struct errands *errands, int route, size_t words)
{
    size_t at = 0;

    while (at < errands->nopen && errands->open[at]->route != route)
        at++;
    if (at == errands->nopen) {
        errands->open =
            mem_grow(errands->open, errands->nopen, &errands->open_capacity, sizeof(*errands->open));
        errands->open[errands->nopen++] = errand_new(errands, route);
    } else if (errands->open[at]->words + words > CALL_WORDS) {
        send_one(errands, errands->open[at]);
        errands->open[at] = errand_new(errands, route);
    }
    return errands->open[at];
}

struct script_call *errands_add(struct errands *errands, const char *key, size_t subject, size_t words)
{
    size_t len = strlen(key);
    struct errand *errand = with_room(errands, rconn_route(errands->rconn, key, len), words);

    errand->words += words;
    errand->subjects =
        mem_grow(errand->subjects, errand->count, &errand->capacity, sizeof(*errand->subjects));
    errand->subjects[errand->count++] = subject;
    script_key(errand->call, key, len);
    return errand->call;
}

int errands_wait(struct errands *errands, struct err *err)
{
    errands_send(errands);
    loop_run_until(rconn_loop(errands->rconn), &errands->idle);
    if (!errands_failed(errands))
        return 0;
    err_copy(err, &errands->err);
    err_clear(&errands->err);
    return -1;
}
