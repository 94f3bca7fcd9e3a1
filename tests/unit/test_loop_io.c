/* The file descriptors of common/loop.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "common/loop.h"

#include "unit.h"

enum { GUARD_MS = 1000, SILENCE_MS = 30 };

static struct {
    struct loop *loop;
    struct timer *guard;
    struct io *io;
    int near[2]; /* a pipe: [0] to read, [1] to write */
    bool done;
    bool late; /* the guard ended the wait */
    bool readable;
    bool writable;
} bench;

static void on_guard(void *arg)
{
    (void)arg;
    bench.late = bench.done = true;
}

static void on_io(void *arg, bool readable, bool writable)
{
    ck_assert_ptr_eq(arg, &bench);
    bench.readable = readable;
    bench.writable = writable;
    bench.done = true;
}

static void begin(io_fn *fn)
{
    memset(&bench, 0, sizeof(bench));
    bench.loop = loop_new();
    bench.guard = timer_new(bench.loop, on_guard, NULL);
    bench.io = io_new(bench.loop, fn, &bench);
    ck_assert_int_eq(pipe(bench.near), 0);
}

static void end(void)
{
    io_free(bench.io);
    timer_free(bench.guard);
    loop_free(bench.loop);
    close(bench.near[0]);
    close(bench.near[1]);
}

static void assert_event(bool readable, bool writable)
{
    bench.done = bench.late = false;
    timer_start(bench.guard, GUARD_MS);
    loop_run_until(bench.loop, &bench.done);
    ck_assert(!bench.late);
    ck_assert_int_eq(bench.readable, readable);
    ck_assert_int_eq(bench.writable, writable);
}

static void assert_no_event(void)
{
    bench.done = bench.late = false;
    timer_start(bench.guard, SILENCE_MS);
    loop_run_until(bench.loop, &bench.done);
    ck_assert(bench.late);
}

static void put_byte(int fd)
{
    ck_assert_int_eq(write(fd, "x", 1), 1);
}

START_TEST(a_pipe_becomes_readable)
{
    begin(on_io);
    io_set(bench.io, bench.near[0], true, false);
    assert_no_event();
    put_byte(bench.near[1]);
    assert_event(true, false);
    end();
}
END_TEST

START_TEST(a_pipe_is_writable)
{
    begin(on_io);
    io_set(bench.io, bench.near[1], false, true);
    assert_event(false, true);
    end();
}
END_TEST

START_TEST(a_closed_pipe_is_readable)
{
    begin(on_io);
    io_set(bench.io, bench.near[0], true, false);
    close(bench.near[1]);
    assert_event(true, false);
    bench.near[1] = open("/dev/null", O_RDONLY);
    end();
}
END_TEST

START_TEST(what_is_wanted_may_change)
{
    int pair[2];

    begin(on_io);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    put_byte(pair[1]);
    io_set(bench.io, pair[0], true, true);
    assert_event(true, true);
    io_set(bench.io, pair[0], true, false);
    assert_event(true, false);
    io_set(bench.io, pair[0], false, true);
    assert_event(false, true);
    io_set(bench.io, pair[0], false, false);
    assert_no_event();
    io_set(bench.io, pair[0], true, false);
    assert_event(true, false);
    close(pair[0]);
    close(pair[1]);
    end();
}
END_TEST

START_TEST(the_fd_may_change)
{
    int other[2];

    begin(on_io);
    ck_assert_int_eq(pipe(other), 0);
    put_byte(bench.near[1]);
    io_set(bench.io, bench.near[0], true, false);
    assert_event(true, false);
    io_set(bench.io, other[0], true, false);
    assert_no_event();
    put_byte(other[1]);
    assert_event(true, false);
    close(other[0]);
    close(other[1]);
    end();
}
END_TEST

/* As a client library does that tries its next address: the new descriptor often has the number of the old
 * one. */
START_TEST(another_file_may_have_the_same_fd)
{
    int other[2], fd;

    begin(on_io);
    fd = bench.near[0];
    io_set(bench.io, fd, true, false);
    assert_no_event();
    io_set(bench.io, -1, false, false);
    ck_assert_int_eq(pipe(other), 0);
    ck_assert_int_eq(dup2(other[0], fd), fd);
    io_set(bench.io, fd, true, false);
    put_byte(other[1]);
    assert_event(true, false);
    close(other[0]);
    close(other[1]);
    end();
}
END_TEST

static void free_the_io(void *arg, bool readable, bool writable)
{
    on_io(arg, readable, writable);
    io_free(bench.io);
    bench.io = NULL;
}

START_TEST(an_io_may_free_itself)
{
    begin(free_the_io);
    put_byte(bench.near[1]);
    io_set(bench.io, bench.near[0], true, false);
    assert_event(true, false);
    assert_no_event();
    end();
}
END_TEST

UNIT_MAIN("loop_io", UNIT(a_pipe_becomes_readable), UNIT(a_pipe_is_writable), UNIT(a_closed_pipe_is_readable),
          UNIT(what_is_wanted_may_change), UNIT(the_fd_may_change), UNIT(another_file_may_have_the_same_fd),
          UNIT(an_io_may_free_itself))
