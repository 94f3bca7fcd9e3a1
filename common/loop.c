#include "common/loop.h"

#include <ev.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

struct deferred {
    struct deferred *next;
    loop_fn *fn;
    void *arg;
};

struct sig {
    ev_signal watcher;
    struct sig *next;
    signal_fn *fn;
    void *arg;
};

struct loop {
    struct ev_loop *ev;
    ev_prepare before_wait;
    ev_idle not_idle; /* active from a deferral until one turn of the loop later */
    struct deferred *head;
    struct deferred **tail;
    struct sig *signals;
};

struct timer {
    ev_timer watcher;
    struct loop *loop;
    loop_fn *fn;
    void *arg;
};

struct io {
    ev_io watcher;
    struct loop *loop;
    io_fn *fn;
    void *arg;
};

static void run_deferred(struct loop *loop)
{
    while (loop->head) {
        struct deferred *call = loop->head;

        loop->head = call->next;
        if (!loop->head)
            loop->tail = &loop->head;
        call->fn(call->arg);
        free(call);
    }
}

static void on_before_wait(struct ev_loop *ev, ev_prepare *watcher, int events)
{
    (void)ev;
    (void)events;
    run_deferred(watcher->data);
}

/* Its being active kept the loop from waiting after deferred calls: they may have been what somebody waits
 * for. */
static void on_idle(struct ev_loop *ev, ev_idle *watcher, int events)
{
    (void)events;
    ev_idle_stop(ev, watcher);
}

struct loop *loop_new(void)
{
    struct loop *loop = mem_zalloc(sizeof(*loop));

    loop->ev = ev_loop_new(EVFLAG_AUTO);
    loop->tail = &loop->head;
    ev_prepare_init(&loop->before_wait, on_before_wait);
    loop->before_wait.data = loop;
    ev_prepare_start(loop->ev, &loop->before_wait);
    ev_idle_init(&loop->not_idle, on_idle);
    signal(SIGPIPE, SIG_IGN);
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    run_deferred(loop);
    while (loop->signals) {
        struct sig *sig = loop->signals;

        loop->signals = sig->next;
        ev_signal_stop(loop->ev, &sig->watcher);
        free(sig);
    }
    ev_loop_destroy(loop->ev);
    free(loop);
}

void loop_run(struct loop *loop)
{
    ev_run(loop->ev, 0);
}

void loop_stop(struct loop *loop)
{
    ev_break(loop->ev, EVBREAK_ALL);
}

void loop_run_once(struct loop *loop)
{
    ev_run(loop->ev, EVRUN_ONCE);
}

void loop_run_until(struct loop *loop, const bool *done)
{
    while (!*done)
        loop_run_once(loop);
}

void loop_defer(struct loop *loop, loop_fn *fn, void *arg)
{
    struct deferred *call = mem_alloc(sizeof(*call));

    *call = (struct deferred){NULL, fn, arg};
    *loop->tail = call;
    loop->tail = &call->next;
    ev_idle_start(loop->ev, &loop->not_idle);
}

static void on_signal(struct ev_loop *ev, ev_signal *watcher, int events)
{
    struct sig *sig = (struct sig *)watcher;

    (void)ev;
    (void)events;
    sig->fn(sig->arg, watcher->signum);
}

void loop_on_signal(struct loop *loop, int signo, signal_fn *fn, void *arg)
{
    struct sig *sig = mem_zalloc(sizeof(*sig));

    sig->fn = fn;
    sig->arg = arg;
    sig->next = loop->signals;
    loop->signals = sig;
    ev_signal_init(&sig->watcher, on_signal, signo);
    ev_set_priority(&sig->watcher,
                    EV_MAXPRI); /* before what else came at the same time, as the end of a child */
    ev_signal_start(loop->ev, &sig->watcher);
}

static void on_timer(struct ev_loop *ev, ev_timer *watcher, int events)
{
    struct timer *timer = (struct timer *)watcher;

    (void)ev;
    (void)events;
    timer->fn(timer->arg);
}

struct timer *timer_new(struct loop *loop, loop_fn *fn, void *arg)
{
    struct timer *timer = mem_zalloc(sizeof(*timer));

    timer->loop = loop;
    timer->fn = fn;
    timer->arg = arg;
    ev_timer_init(&timer->watcher, on_timer, 0, 0);
    return timer;
}

void timer_start(struct timer *timer, int64_t ms)
{
    ev_timer_stop(timer->loop->ev, &timer->watcher);
    ev_now_update(timer->loop->ev);
    ev_timer_set(&timer->watcher, (double)ms / 1000.0, 0);
    ev_timer_start(timer->loop->ev, &timer->watcher);
}

void timer_stop(struct timer *timer)
{
    ev_timer_stop(timer->loop->ev, &timer->watcher);
}

bool timer_active(const struct timer *timer)
{
    return ev_is_active(&timer->watcher);
}

void timer_free(struct timer *timer)
{
    if (!timer)
        return;
    timer_stop(timer);
    free(timer);
}

static void on_io(struct ev_loop *ev, ev_io *watcher, int events)
{
    struct io *io = (struct io *)watcher;

    (void)ev;
    io->fn(io->arg, (events & EV_READ) != 0, (events & EV_WRITE) != 0);
}

struct io *io_new(struct loop *loop, io_fn *fn, void *arg)
{
    struct io *io = mem_zalloc(sizeof(*io));

    io->loop = loop;
    io->fn = fn;
    io->arg = arg;
    ev_io_init(&io->watcher, on_io, -1, 0);
    return io;
}

void io_set(struct io *io, int fd, bool want_read, bool want_write)
{
    int events = (want_read ? EV_READ : 0) | (want_write ? EV_WRITE : 0);

    if (ev_is_active(&io->watcher) && io->watcher.fd == fd &&
        (io->watcher.events & (EV_READ | EV_WRITE)) == events)
        return;
    ev_io_stop(io->loop->ev, &io->watcher);
    if (!events)
        return;
    ev_io_set(&io->watcher, fd, events);
    ev_io_start(io->loop->ev, &io->watcher);
}

void io_free(struct io *io)
{
    if (!io)
        return;
    ev_io_stop(io->loop->ev, &io->watcher);
    free(io);
}
