#include "queue/consume_end.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/mem.h"
#include "common/utf8.h"

enum { ANY = -1, SHELL_SIGNAL = 128, COMMAND_BYTES = 200 };

/* The first row that fits holds. */
static const struct {
    enum end_kind kind;
    int number;
    enum run_meaning meaning;
    const char *why;
} meanings[] = {
    {END_EXITED, 0, RUN_GOOD, "it says so"},
    {END_EXITED, 75, RUN_UNAVAILABLE, "EX_TEMPFAIL of sysexits.h: later it may work"},
    {END_EXITED, 126, RUN_NO_COMMAND, "the shell found a file that it may not execute"},
    {END_EXITED, 127, RUN_NO_COMMAND, "the shell found no such command"},
    {END_EXITED, ANY, RUN_BAD, "it failed"},
    {END_SIGNALLED, ANY, RUN_BAD, "it crashed, or used too much memory"},
    {END_TIMED_OUT, ANY, RUN_BAD, "some item makes it hang"},
    {END_STOPPED, ANY, RUN_STOPPED, "it was not given the time to finish"},
    {END_NOT_BEGUN, ANY, RUN_UNAVAILABLE, "no process or file descriptor is free just now"},
};

struct run_end run_end_of(int wait_status)
{
    if (WIFSIGNALED(wait_status))
        return (struct run_end){END_SIGNALLED, WTERMSIG(wait_status)};
    return (struct run_end){END_EXITED, WEXITSTATUS(wait_status)};
}

enum run_meaning run_end_meaning(const struct run_end *end)
{
    size_t i = 0;

    while (meanings[i].kind != end->kind || (meanings[i].number != ANY && meanings[i].number != end->number))
        i++;
    return meanings[i].meaning;
}

struct run_end run_end_while_stopping(const struct run_end *end)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGKILL};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        if ((end->kind == END_SIGNALLED && end->number == signals[i]) ||
            (end->kind == END_EXITED && end->number == SHELL_SIGNAL + signals[i]))
            return (struct run_end){END_STOPPED, 0};
    return *end;
}

char *run_excerpt(const char *data, size_t len, size_t max)
{
    size_t kept = utf8_valid_length(data, len < max ? len : max);

    return mem_printf("%.*s%s", (int)kept, data, kept < len ? "…" : "");
}

char *run_command_text(const char *command)
{
    return run_excerpt(command, strlen(command), COMMAND_BYTES);
}

static char *what_happened(const struct run_end *end, int64_t timeout_ms)
{
    switch (end->kind) {
    case END_EXITED:
        return mem_printf("exited with status %d", end->number);
    case END_SIGNALLED:
        return mem_printf("was killed by signal %d (%s)", end->number, strsignal(end->number));
    case END_TIMED_OUT:
        return timeout_ms % 1000 ? mem_printf("took longer than %lld ms", (long long)timeout_ms)
                                 : mem_printf("took longer than %lld s", (long long)timeout_ms / 1000);
    case END_STOPPED:
        return mem_strdup("was stopped by our shutdown");
    case END_NOT_BEGUN:
        break;
    }
    return mem_strdup("could not be started");
}

char *run_end_text(const struct run_end *end, const char *command, int64_t timeout_ms)
{
    char *what = what_happened(end, timeout_ms);
    char *text = mem_printf("%s %s", command, what);

    free(what);
    return text;
}
