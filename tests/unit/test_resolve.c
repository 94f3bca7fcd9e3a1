/* common/resolve.h */
#include "common/resolve.h"

#include <stdlib.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

#include "unit.h"

enum { GUARD_MS = 20000 };

static struct {
    struct loop *loop;
    struct resolve *resolve;
    bool done;
    size_t count;
    char first[64];
    char error[128];
} bench;

static void on_guard(void *arg)
{
    (void)arg;
    ck_abort_msg("nothing came");
}

static void on_found(void *arg, const char *const *addresses, size_t count, const char *error)
{
    ck_assert_ptr_eq(arg, &bench);
    ck_assert(!bench.done);
    bench.done = true;
    bench.count = count;
    snprintf(bench.first, sizeof(bench.first), "%s", count ? addresses[0] : "");
    snprintf(bench.error, sizeof(bench.error), "%s", error ? error : "");
    resolve_free(bench.resolve);
}

static void no_preparation(void)
{
}

/* `prepare` is called when there is a loop. */
static void resolve_after(void (*prepare)(void), const char *name)
{
    struct timer *guard;

    memset(&bench, 0, sizeof(bench));
    bench.loop = loop_new();
    prepare();
    guard = timer_new(bench.loop, on_guard, NULL);
    timer_start(guard, GUARD_MS);
    bench.resolve = resolve_new(bench.loop, name, on_found, &bench);
    ck_assert(!bench.done);
    loop_run_until(bench.loop, &bench.done);
    timer_free(guard);
    loop_free(bench.loop);
}

static void resolve(const char *name)
{
    resolve_after(no_preparation, name);
}

static const char *const numeric[] = {"127.0.0.1", "::1", "10.1.2.3"};

START_TEST(a_number_is_its_own_address)
{
    resolve(numeric[_i]);
    ck_assert_uint_eq(bench.count, 1);
    ck_assert_str_eq(bench.first, numeric[_i]);
    ck_assert_str_eq(bench.error, "");
}
END_TEST

START_TEST(a_name_has_one_or_more)
{
    resolve("localhost");
    ck_assert_uint_ge(bench.count, 1);
    ck_assert(strcmp(bench.first, "127.0.0.1") == 0 || strcmp(bench.first, "::1") == 0);
}
END_TEST

static const char *const nobody[] = {"nowhere.invalid", "", "a b"};

START_TEST(what_has_none_says_why)
{
    resolve(nobody[_i]);
    ck_assert_uint_eq(bench.count, 0);
    ck_assert_str_ne(bench.error, "");
}
END_TEST

START_TEST(one_that_is_not_waited_for)
{
    struct loop *loop = loop_new();

    for (int i = 0; i < 20; i++)
        resolve_free(resolve_new(loop, i % 2 ? "nowhere.invalid" : "127.0.0.1", on_found, NULL));
    resolve_free(NULL);
    loop_free(loop);
}
END_TEST

static void use_up_descriptors(void)
{
    int free = dup(STDERR_FILENO);
    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = (rlim_t)free;
    close(free);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

START_TEST(no_descriptor_is_left)
{
    struct rlimit before;

    if (getenv("UNDER_VALGRIND")) /* which has descriptors of its own, and looks after the limit for some
                                     calls only */
        return;
    getrlimit(RLIMIT_NOFILE, &before);
    resolve_after(use_up_descriptors, "127.0.0.1");
    setrlimit(RLIMIT_NOFILE, &before);
    ck_assert_uint_eq(bench.count, 0);
    ck_assert_str_eq(bench.error, strerror(EMFILE));
    resolve("127.0.0.1");
    ck_assert_uint_eq(bench.count, 1);
}
END_TEST

UNIT_MAIN("resolve", UNIT_ROWS(a_number_is_its_own_address, numeric), UNIT(a_name_has_one_or_more),
          UNIT_ROWS(what_has_none_says_why, nobody), UNIT(one_that_is_not_waited_for),
          UNIT(no_descriptor_is_left))
