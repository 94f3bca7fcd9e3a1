#include "queue/consume_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/mem.h"
#include "queue/consume_guard.h"

enum { KILL_AFTER_MS = 2000, READ_BYTES = 65536 };

enum ending {
    LIVES,
    TOO_LONG, /* told to end because of its timeout */
    STOPPED,  /* told to end by our owner */
};

struct child {
    struct child_handlers handlers;
    void *arg;
    pid_t pid;    /* of the guard; -1 once it is waited for */
    int alive_fd; /* is at its end when the guard has ended */
    int input_fd; /* -1 once all is written, or nobody reads */
    int verdicts_fd;
    struct io *on_gone;
    struct io *on_input;
    struct io *on_verdicts;
    struct timer *timer; /* first its timeout, then until it is killed */
    struct timer *end;   /* runs out at once, when it is gone */
    struct buf input;
    size_t written;
    enum ending ending;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ---- stdin ---- */

static void end_input(struct child *child)
{
    io_set(child->on_input, -1, false, false);
    close_fd(&child->input_fd);
    buf_free(&child->input);
}

static void on_input(void *arg, bool readable, bool writable)
{
    struct child *child = arg;
    ssize_t written;

    (void)readable;
    (void)writable;
    written = write(child->input_fd, child->input.data + child->written, child->input.len - child->written);
    if (written > 0)
        child->written += (size_t)written;
    if (child->written == child->input.len || (written < 0 && errno != EAGAIN && errno != EINTR))
        end_input(child);
}

/* ---- verdicts ---- */

/* As read(2). */
static ssize_t read_verdicts(struct child *child, size_t max)
{
    char piece[READ_BYTES];
    ssize_t len = read(child->verdicts_fd, piece, max < sizeof(piece) ? max : sizeof(piece));

    if (len > 0)
        child->handlers.verdicts(child->arg, piece, (size_t)len);
    return len;
}

static void on_verdicts(void *arg, bool readable, bool writable)
{
    struct child *child = arg;

    (void)readable;
    (void)writable;
    if (read_verdicts(child, READ_BYTES) == 0)
        io_set(child->on_verdicts, -1, false, false); /* the end of the pipe: it closed it */
}

/* What lies in the pipe now, and no more: others may go on writing. */
static void read_last_verdicts(struct child *child)
{
    int left = 0;

    ioctl(child->verdicts_fd, FIONREAD, &left);
    while (left > 0) {
        ssize_t len = read_verdicts(child, (size_t)left);

        if (len <= 0)
            return;
        left -= (int)len;
    }
}

/* ---- the end ---- */

static void signal_group(struct child *child, int signo)
{
    if (child->pid > 0)
        kill(-child->pid, signo);
}

static void on_time(void *arg)
{
    struct child *child = arg;

    if (child->ending != LIVES) {
        signal_group(child, SIGKILL);
        return;
    }
    child->ending = TOO_LONG;
    signal_group(child, SIGTERM);
    timer_start(child->timer, KILL_AFTER_MS);
}

void child_stop(struct child *child)
{
    if (child->ending == STOPPED)
        return;
    child->ending = STOPPED;
    signal_group(child, SIGTERM);
    timer_start(child->timer, KILL_AFTER_MS);
}

void child_kill(struct child *child)
{
    child->ending = STOPPED;
    signal_group(child, SIGKILL);
}

static int wait_for(struct child *child)
{
    int status = 0;

    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        ;
    child->pid = -1;
    return status;
}

/* Then nobody has looked after what is left of the group. */
static bool was_killed(const struct child *child)
{
    siginfo_t info = {0};

    waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT);
    return info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED;
}

/* A signal that came to us at the same moment is to be heard first: it may be what ended the command. So the
 * end is told in the loop's next round. */
static void on_gone(void *arg, bool readable, bool writable)
{
    struct child *child = arg;

    (void)readable;
    (void)writable;
    io_set(child->on_gone, -1, false, false);
    timer_start(child->end, 0);
}

static void on_end(void *arg)
{
    struct child *child = arg;
    struct run_end end;

    if (child->ending != LIVES || was_killed(child))
        signal_group(child, SIGKILL); /* while its number is still ours */
    end = run_end_of(wait_for(child));
    if (child->ending == TOO_LONG)
        end = (struct run_end){END_TIMED_OUT, 0};
    if (child->ending == STOPPED)
        end = (struct run_end){END_STOPPED, 0};
    timer_stop(child->timer);
    end_input(child);
    read_last_verdicts(child);
    child->handlers.end(child->arg, &end);
}

/* ---- life ---- */

static int pipe_for(int *ret_ours, int *ret_theirs, bool we_write)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    *ret_ours = ends[we_write];
    *ret_theirs = ends[!we_write];
    return fcntl(*ret_ours, F_SETFL, O_NONBLOCK);
}

/* Our ends, and in the task the others. */
static int open_pipes(struct child *child, struct guard_task *task)
{
    if (pipe_for(&child->input_fd, &task->input, true) != 0 ||
        pipe_for(&child->verdicts_fd, &task->verdicts, false) != 0)
        return -1;
    return pipe_for(&child->alive_fd, &task->alive, false);
}

static int start_guard(struct child *child, const struct child_task *task, struct err *err)
{
    struct guard_task guard = {
        .command = task->command,
        .queue = task->queue,
        .token = task->token,
        .attempt = task->attempt,
        .input = -1,
        .verdicts = -1,
        .alive = -1,
    };

    if (open_pipes(child, &guard) == 0)
        child->pid = guard_start(&guard);
    if (child->pid < 0)
        err_set(err, ST_AGAIN, "cannot start a process: %s", strerror(errno));
    close_fd(&guard.input);
    close_fd(&guard.verdicts);
    close_fd(&guard.alive);
    return child->pid < 0 ? -1 : 0;
}

static void watch_it(struct child *child, struct loop *loop, int64_t timeout_ms)
{
    child->on_gone = io_new(loop, on_gone, child);
    child->on_input = io_new(loop, on_input, child);
    child->on_verdicts = io_new(loop, on_verdicts, child);
    child->timer = timer_new(loop, on_time, child);
    child->end = timer_new(loop, on_end, child);
    io_set(child->on_gone, child->alive_fd, true, false);
    io_set(child->on_input, child->input_fd, false, true);
    io_set(child->on_verdicts, child->verdicts_fd, true, false);
    if (timeout_ms)
        timer_start(child->timer, timeout_ms);
}

struct child *child_start(struct loop *loop, const struct child_task *task, struct buf *input,
                          const struct child_handlers *handlers, void *arg, struct err *err)
{
    struct child *child = mem_zalloc(sizeof(*child));

    child->handlers = *handlers;
    child->arg = arg;
    child->input = *input;
    *input = (struct buf)BUF_NONE;
    child->pid = child->alive_fd = child->input_fd = child->verdicts_fd = -1;
    if (start_guard(child, task, err) != 0) {
        child_free(child);
        return NULL;
    }
    watch_it(child, loop, task->timeout_ms);
    return child;
}

void child_free(struct child *child)
{
    if (!child)
        return;
    if (child->pid > 0) {
        signal_group(child, SIGKILL);
        wait_for(child);
    }
    io_free(child->on_gone);
    io_free(child->on_input);
    io_free(child->on_verdicts);
    timer_free(child->timer);
    timer_free(child->end);
    close_fd(&child->alive_fd);
    close_fd(&child->input_fd);
    close_fd(&child->verdicts_fd);
    buf_free(&child->input);
    free(child);
}
