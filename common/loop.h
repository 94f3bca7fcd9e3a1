/* The event loop: file descriptors, timers, signals and deferred calls, over libev.
 *
 * A deferred call runs after the current callback has returned, before the loop waits again: that is where
 * an object frees itself when it may still be on the stack. Times are in milliseconds on the monotonic clock.
 * One thread; nothing here is safe to call from a signal handler.
 */
#ifndef PGUSHER_LOOP_H
#define PGUSHER_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct timer;
struct io;

typedef void loop_fn(void *arg);
typedef void io_fn(void *arg, bool readable, bool writable);
typedef void signal_fn(void *arg, int signo);

struct loop *loop_new(void);
void loop_free(struct loop *loop); /* runs what is deferred; timers, ios must be freed before */
void loop_run(struct loop *loop);  /* until loop_stop */
void loop_stop(struct loop *loop);
/* Runs until *done becomes true: lets a command-line program wait for one answer. */
void loop_run_until(struct loop *loop, const bool *done);
/* Waits for the next events and handles them. */
void loop_run_once(struct loop *loop);
void loop_defer(struct loop *loop, loop_fn *fn, void *arg);
/* Signals arrive as ordinary events. At most one handler per signal; it stays until loop_free. */
void loop_on_signal(struct loop *loop, int signo, signal_fn *fn, void *arg);

struct timer *timer_new(struct loop *loop, loop_fn *fn, void *arg);
void timer_start(struct timer *timer, int64_t ms); /* one shot; restarts when already running */
void timer_stop(struct timer *timer);
bool timer_active(const struct timer *timer);
void timer_free(struct timer *timer); /* NULL-safe */

struct io *io_new(struct loop *loop, io_fn *fn, void *arg);
/* Waits for what is wanted on fd; both false stops waiting. The fd may change between calls. */
void io_set(struct io *io, int fd, bool want_read, bool want_write);
void io_free(struct io *io); /* NULL-safe */

#endif
