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

/* All signals are blocked: what is sent to the group must not end the guard before the shell. */
static _Noreturn void watch(pid_t shell, pid_t parent)
{
    sigset_t wanted;
    int status;

    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    sigaddset(&wanted, PARENT_DIED);
    for (;;) {
        if (getppid() != parent)
            kill(0, SIGKILL);
        if (waitpid(shell, &status, WNOHANG) == shell)
            end_like(status);
        sigwaitinfo(&wanted, NULL);
    }
}

static _Noreturn void be_guard(const struct guard_task *task, pid_t parent, const sigset_t *mask)
{
    pid_t guard = getpid();
    pid_t shell;

    setpgid(0, 0);
    die_with(parent, PARENT_DIED);
    signal(SIGCHLD, SIG_DFL);
    shell = fork();
    if (shell == 0)
        run_shell(task, guard, mask);
    if (shell < 0)
        _exit(EXIT_LATER);
    closefrom(0); /* above all the pipes: their ends must show what the command does */
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
