#include "queue/consume_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    VERDICT_FD = 3,
    PARENT_DIED = SIGHUP,
    EXIT_LATER = 75, /* no process to be had: as if the target were down */
    EXIT_NOT_RUNNABLE = 126,
};

/* Whoever is our parent now is not who started us. */
static void die_with(pid_t parent, int signo)
{
    prctl(PR_SET_PDEATHSIG, signo);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
}

/* ---- the shell ---- */

static void set_number(const char *name, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, number);
    setenv(name, text, 1);
}

static void set_environment(const struct guard_task *task)
{
    setenv("QUEUE", task->queue, 1);
    set_number("TOKEN", task->token);
    set_number("ATTEMPT", (uint64_t)task->attempt);
}

/* Through copies above 3, as either may be 0 or 3 itself. */
static void place_descriptors(const struct guard_task *task)
{
    int input = fcntl(task->input, F_DUPFD, VERDICT_FD + 1);
    int verdicts = fcntl(task->verdicts, F_DUPFD, VERDICT_FD + 1);

    if (dup2(input, STDIN_FILENO) < 0 || dup2(verdicts, VERDICT_FD) < 0)
        _exit(EXIT_LATER);
    closefrom(VERDICT_FD + 1);
}

static _Noreturn void run_shell(const struct guard_task *task, pid_t guard, const sigset_t *mask)
{
    static const int ours[] = {SIGPIPE, SIGTERM, SIGINT}; /* that our process ignores or handles */

    die_with(guard, SIGKILL);
    place_descriptors(task);
    set_environment(task);
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        signal(ours[i], SIG_DFL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execl("/bin/sh", "sh", "-c", task->command, (char *)NULL);
    _exit(EXIT_NOT_RUNNABLE);
}

/* ---- the guard ---- */

static _Noreturn void end_like(int wait_status)
{
    const struct rlimit no_core = {0, 0};
    sigset_t same;

    if (!WIFSIGNALED(wait_status))
        _exit(WEXITSTATUS(wait_status));
    setrlimit(RLIMIT_CORE, &no_core);
    signal(WTERMSIG(wait_status), SIG_DFL);
    raise(WTERMSIG(wait_status));
    sigemptyset(&same);
    sigaddset(&same, WTERMSIG(wait_status));
    sigprocmask(SIG_UNBLOCK, &same, NULL);
    _exit(128 + WTERMSIG(wait_status));
}

/* Whether the group was told to end by us; by itself it may have been, too (`kill 0` is a common way to clean
 * up). */
static bool asked_to_end(pid_t parent)
{
    static const struct timespec at_once = {0, 0};
    sigset_t term;
    siginfo_t info;

    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    return sigtimedwait(&term, &info, &at_once) == SIGTERM && info.si_pid == parent;
}

/* Its orphans have become our children, see PR_SET_CHILD_SUBREAPER. */
static bool group_is_empty(void)
{
    pid_t pid;

    do
        pid = waitpid(0, NULL, WNOHANG);
    while (pid > 0);
    return pid < 0;
}

/* Whether the shell has ended. */
static bool reap(pid_t shell, int *ret_status)
{
    bool ended = false;
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == shell) {
            *ret_status = status;
            ended = true;
        }
    return ended;
}

/* Until something may have changed. */
static void wait_for_signal(pid_t parent)
{
    sigset_t wanted;

    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    sigaddset(&wanted, PARENT_DIED);
    if (getppid() == parent)
        sigwaitinfo(&wanted, NULL);
    if (getppid() != parent)
        kill(0, SIGKILL);
}

/* All signals are blocked: what is sent to the group must not end the guard before the shell. */
static _Noreturn void watch(pid_t shell, pid_t parent)
{
    int status = 0;

    while (!reap(shell, &status))
        wait_for_signal(parent);
    if (asked_to_end(parent))
        while (!group_is_empty())
            wait_for_signal(parent);
    end_like(status);
}

static _Noreturn void be_guard(const struct guard_task *task, pid_t parent, const sigset_t *mask)
{
    pid_t guard = getpid();
    pid_t shell;

    setpgid(0, 0);
    die_with(parent, PARENT_DIED);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    signal(SIGCHLD, SIG_DFL);
    shell = fork();
    if (shell == 0)
        run_shell(task, guard, mask);
    if (shell < 0)
        _exit(EXIT_LATER);
    dup2(task->alive, 0);
    closefrom(1); /* above all the other pipes: their ends must show what the command does */
    signal(PARENT_DIED, SIG_DFL);
    watch(shell, parent);
}

pid_t guard_start(const struct guard_task *task)
{
    pid_t parent = getpid();
    sigset_t all, mask;
    pid_t guard;
    int error;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &mask); /* our handlers must not run in the new process */
    guard = fork();
    if (guard == 0)
        be_guard(task, parent, &mask);
    error = errno;
    if (guard > 0)
        setpgid(guard, guard); /* whichever of us is first */
    sigprocmask(SIG_SETMASK, &mask, NULL);
    errno = error;
    return guard;
}
