/* What the unit tests share: the main of a test program, files that live in memory, stderr caught, random
 * texts.
 *
 * Each test_*.c is one program and one suite; CK_FORK=no runs it in one process, under a debugger for
 * example.
 */
#ifndef PGUSHER_UNIT_H
#define PGUSHER_UNIT_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/problems.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* ---- main ---- */

struct unit_test {
    const TTest *test;
    size_t rows; /* runs once per row, with _i; 0: runs once */
};

#define UNIT(test)                                                                                           \
    {                                                                                                        \
        test, 0                                                                                              \
    }
#define UNIT_ROWS(test, table)                                                                               \
    {                                                                                                        \
        test, ROWS(table)                                                                                    \
    }
#define UNIT_MAIN(name, ...)                                                                                 \
    int main(void)                                                                                           \
    {                                                                                                        \
        const struct unit_test tests[] = {__VA_ARGS__};                                                      \
                                                                                                             \
        return unit_run(name, tests, ROWS(tests));                                                           \
    }

static inline int unit_run(const char *name, const struct unit_test *tests, size_t count)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tcase);
    for (size_t i = 0; i < count; i++) {
        if (tests[i].rows)
            tcase_add_loop_test(tcase, tests[i].test, 0, (int)tests[i].rows);
        else
            tcase_add_test(tcase, tests[i].test);
    }
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- files ---- */

/* A file with a path but in no directory, so that a failed test leaves nothing behind. */
struct unit_file {
    int fd;
    char path[32];
};

static inline struct unit_file unit_file(const char *content)
{
    struct unit_file file;
    size_t len = strlen(content);

    file.fd = memfd_create("unit", MFD_CLOEXEC);
    ck_assert_int_ge(file.fd, 0);
    ck_assert_int_eq(write(file.fd, content, len), (ssize_t)len);
    snprintf(file.path, sizeof(file.path), "/proc/self/fd/%d", file.fd);
    return file;
}

static inline void unit_file_close(struct unit_file *file)
{
    close(file->fd);
}

/* The whole content; the caller frees. */
static inline char *unit_file_read(const struct unit_file *file)
{
    struct buf text = BUF_NONE;
    char piece[4096];
    ssize_t len;

    lseek(file->fd, 0, SEEK_SET);
    while ((len = read(file->fd, piece, sizeof(piece))) > 0)
        buf_add(&text, piece, (size_t)len);
    return buf_take(&text);
}

/* ---- stderr ---- */

struct unit_stderr {
    int saved;
    struct unit_file file;
};

static inline struct unit_stderr unit_stderr_catch(void)
{
    struct unit_stderr caught;

    fflush(stderr);
    caught.saved = dup(STDERR_FILENO);
    caught.file = unit_file("");
    ck_assert_int_eq(dup2(caught.file.fd, STDERR_FILENO), STDERR_FILENO);
    return caught;
}

/* Puts stderr back and returns what was written; the caller frees. */
static inline char *unit_stderr_release(struct unit_stderr *caught)
{
    char *text = unit_file_read(&caught->file);

    dup2(caught->saved, STDERR_FILENO);
    close(caught->saved);
    unit_file_close(&caught->file);
    return text;
}

/* ---- problems ---- */

/* Fails unless some problem stands at this place and its text holds these words ("" for any text). */
static inline void unit_assert_problem(const struct problems *problems, const char *place, const char *words)
{
    struct buf all = BUF_NONE;

    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->list[i];

        if (strcmp(problem->place, place) == 0 && strstr(problem->text, words)) {
            buf_free(&all);
            return;
        }
        buf_printf(&all, "\n  %s: %s", problem->place, problem->text);
    }
    ck_abort_msg("no problem at \"%s\" with \"%s\", but:%s", place, words,
                 all.data ? all.data : " none at all");
}

static inline void unit_assert_no_problem(const struct problems *problems)
{
    if (problems->count)
        ck_abort_msg("%s: %s", problems->list[0].place, problems->list[0].text);
}

/* ---- random, the same in each run ---- */

static inline uint32_t unit_random(uint32_t *state, uint32_t below)
{
    *state ^= *state << 13; /* xorshift32; the state must not be 0 */
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state % below;
}

/* A text of at most max_pieces of these pieces; the caller frees. */
static inline char *unit_random_text(uint32_t *state, const char *const *pieces, size_t npieces,
                                     uint32_t max_pieces)
{
    struct buf text = BUF_NONE;

    for (uint32_t n = unit_random(state, max_pieces + 1); n > 0; n--)
        buf_puts(&text, pieces[unit_random(state, (uint32_t)npieces)]);
    return buf_take(&text);
}

#endif
