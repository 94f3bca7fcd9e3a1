/* Failures on demand, preloaded into a program or into one that loads libpgusher-queue.
 *
 * INJECT_CALLERS names the objects, by parts of their file names, whose calls may fail ("pgusher" alone:
 * ours); what the C library itself and other libraries call goes on as ever. One of:
 *
 *   INJECT_MEMORY=N    the N-th allocation gives NULL; N+ the N-th and all after it
 *   INJECT_IO=WHAT:N   the N-th call of read, write and their kin (N+: and all after it) fails with
 *                      EINTR, ECONNRESET, EPIPE, ENOSPC, EAGAIN; or WHAT is "short": it moves one byte only
 *
 * INJECT_COUNT names a file that gets, at the end, how many calls there were and whether one failed. A
 * program that was built for it arms failures by itself: inject_arm and its kin, below. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "shim.h"

enum { MAX_RANGES = 64 };

struct failures {
    atomic_long seen;
    atomic_long first; /* 0: none fails */
    atomic_bool after; /* so do all after it */
    atomic_long failed;
};

static struct failures memory, transfers;
static atomic_long live;
static int transfer_error; /* 0: short */

static struct range {
    uintptr_t from, to;
} ranges[MAX_RANGES];
static size_t nranges;

static bool is_ours(const void *caller)
{
    for (size_t i = 0; i < nranges; i++)
        if ((uintptr_t)caller >= ranges[i].from && (uintptr_t)caller < ranges[i].to)
            return true;
    return false;
}

static bool fails(struct failures *failures, const void *caller)
{
    long first = atomic_load(&failures->first), number;

    if (!is_ours(caller))
        return false;
    number = atomic_fetch_add(&failures->seen, 1) + 1;
    if (first == 0 || number < first || (number > first && !atomic_load(&failures->after)))
        return false;
    atomic_fetch_add(&failures->failed, 1);
    return true;
}

/* ---- by the program itself ---- */

void inject_arm(long first, int after)
{
    atomic_store(&memory.seen, 0);
    atomic_store(&memory.failed, 0);
    atomic_store(&memory.after, after != 0);
    atomic_store(&memory.first, first);
}

long inject_failed(void)
{
    return atomic_load(&memory.failed);
}

long inject_live(void)
{
    return atomic_load(&live);
}

/* ---- by the environment ---- */

static bool is_named(const char *path, const char *names)
{
    const char *slash = strrchr(path, '/');
    char list[256], *rest = list, *name;

    snprintf(list, sizeof(list), "%s", names);
    while ((name = strsep(&rest, ",")))
        if (strstr(slash ? slash : path, name))
            return true;
    return false;
}

static int add_ranges(struct dl_phdr_info *object, size_t size, void *names)
{
    static char program[4096];
    const char *path = object->dlpi_name;

    (void)size;
    if (!path[0] && readlink("/proc/self/exe", program, sizeof(program) - 1) > 0)
        path = program;
    if (strstr(path, "shim") || !is_named(path, names))
        return 0;
    for (int i = 0; i < object->dlpi_phnum && nranges < MAX_RANGES; i++)
        if (object->dlpi_phdr[i].p_type == PT_LOAD)
            ranges[nranges++] = (struct range){object->dlpi_addr + object->dlpi_phdr[i].p_vaddr,
                                               object->dlpi_addr + object->dlpi_phdr[i].p_vaddr +
                                                   object->dlpi_phdr[i].p_memsz};
    return 0;
}

static void set(struct failures *failures, const char *text)
{
    atomic_store(&failures->after, strchr(text, '+') != NULL);
    atomic_store(&failures->first, atol(text));
}

static int error_of(const char *word)
{
    static const struct {
        const char *word;
        int error;
    } words[] = {{"EINTR", EINTR},   {"ECONNRESET", ECONNRESET}, {"EPIPE", EPIPE},
                 {"ENOSPC", ENOSPC}, {"EAGAIN", EAGAIN},         {"short", 0}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strncmp(word, words[i].word, strlen(words[i].word)) == 0)
            return words[i].error;
    abort();
}

__attribute__((constructor)) static void begin(void)
{
    const char *callers = getenv("INJECT_CALLERS"), *when = getenv("INJECT_MEMORY"),
               *what = getenv("INJECT_IO");

    dl_iterate_phdr(add_ranges, (void *)(callers ? callers : "pgusher"));
    if (when)
        set(&memory, when);
    if (what) {
        transfer_error = error_of(what);
        set(&transfers, strchr(what, ':') + 1);
    }
}

static void report(void)
{
    const char *path = getenv("INJECT_COUNT");
    int file = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;

    if (file < 0)
        return;
    dprintf(file, "%ld %ld %ld %ld\n", atomic_load(&memory.seen), atomic_load(&memory.failed),
            atomic_load(&transfers.seen), atomic_load(&transfers.failed));
    close(file);
}

__attribute__((destructor)) static void end(void)
{
    report();
}

/* ---- memory ---- */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void __libc_free(void *old);

static void *out_of_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

static void *counted(void *new)
{
    if (new)
        atomic_fetch_add(&live, 1);
    return new;
}

void *malloc(size_t size)
{
    return fails(&memory, __builtin_return_address(0)) ? out_of_memory() : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return fails(&memory, __builtin_return_address(0)) ? out_of_memory()
                                                       : counted(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size)
{
    if (fails(&memory, __builtin_return_address(0)))
        return out_of_memory();
    return old ? __libc_realloc(old, size) : counted(__libc_malloc(size));
}

void free(void *old)
{
    if (old)
        atomic_fetch_sub(&live, 1);
    __libc_free(old);
}

static char *copy(const char *text, size_t len, const void *caller)
{
    char *new = fails(&memory, caller) ? out_of_memory() : counted(__libc_malloc(len + 1));

    if (!new)
        return NULL;
    memcpy(new, text, len);
    new[len] = '\0';
    return new;
}

char *strdup(const char *text)
{
    return copy(text, strlen(text), __builtin_return_address(0));
}

char *strndup(const char *text, size_t most)
{
    return copy(text, strnlen(text, most), __builtin_return_address(0));
}

static int print(char **ret_text, const char *format, va_list args, const void *caller)
{
    va_list again;
    int len;

    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    *ret_text = fails(&memory, caller) ? out_of_memory() : counted(__libc_malloc((size_t)len + 1));
    return *ret_text ? vsnprintf(*ret_text, (size_t)len + 1, format, args) : -1;
}

int vasprintf(char **ret_text, const char *format, va_list args)
{
    return print(ret_text, format, args, __builtin_return_address(0));
}

int __vasprintf_chk(char **ret_text, int flag, const char *format, va_list args)
{
    (void)flag;
    return print(ret_text, format, args, __builtin_return_address(0));
}

/* ---- reading and writing ---- */

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

enum fate { GOES_ON, FAILS, MOVES_ONE };

static enum fate fate_of(const void *caller, size_t len)
{
    if (!fails(&transfers, caller))
        return GOES_ON;
    errno = transfer_error;
    if (transfer_error)
        return FAILS;
    return len > 1 ? MOVES_ONE : GOES_ON;
}

#define TRANSFER(name, len, ...)                                                                             \
    do {                                                                                                     \
        enum fate fate = fate_of(__builtin_return_address(0), len);                                          \
                                                                                                             \
        if (fate == FAILS)                                                                                   \
            return -1;                                                                                       \
        if (fate == MOVES_ONE)                                                                               \
            len = 1;                                                                                         \
        return REAL(name)(__VA_ARGS__);                                                                      \
    } while (0)

ssize_t read(int file, void *data, size_t len)
{
    TRANSFER(read, len, file, data, len);
}

ssize_t write(int file, const void *data, size_t len)
{
    TRANSFER(write, len, file, data, len);
}

ssize_t recv(int file, void *data, size_t len, int flags)
{
    TRANSFER(recv, len, file, data, len, flags);
}

ssize_t send(int file, const void *data, size_t len, int flags)
{
    TRANSFER(send, len, file, data, len, flags);
}

/* With FORTIFY these two have other names. */
ssize_t __read_chk(int file, void *data, size_t len, size_t room);
ssize_t __recv_chk(int file, void *data, size_t len, size_t room, int flags);

ssize_t __read_chk(int file, void *data, size_t len, size_t room)
{
    (void)room;
    TRANSFER(read, len, file, data, len);
}

ssize_t __recv_chk(int file, void *data, size_t len, size_t room, int flags)
{
    (void)room;
    TRANSFER(recv, len, file, data, len, flags);
}

/* Of one that waits, an interruption is the only failure that is not a defect of the program. */
static bool interrupted(const void *caller)
{
    return transfer_error == EINTR && fate_of(caller, 0) == FAILS;
}

int poll(struct pollfd *files, nfds_t count, int ms)
{
    return interrupted(__builtin_return_address(0)) ? -1 : REAL(poll)(files, count, ms);
}

int __poll_chk(struct pollfd *files, nfds_t count, int ms, size_t room);

int __poll_chk(struct pollfd *files, nfds_t count, int ms, size_t room)
{
    (void)room;
    return interrupted(__builtin_return_address(0)) ? -1 : REAL(poll)(files, count, ms);
}

int epoll_wait(int file, struct epoll_event *events, int most, int ms)
{
    return interrupted(__builtin_return_address(0)) ? -1 : REAL(epoll_wait)(file, events, most, ms);
}
