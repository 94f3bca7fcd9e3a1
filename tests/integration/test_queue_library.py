"""libpgusher-queue as a C program gets it: opening, producing, consuming, waiting."""
import ctypes
import os
import re
import select
import signal
import threading
import time

import pytest

from harness import queue_library as lib
from harness.programs import SLOWER
from harness.queue import QUEUE
from harness.waiting import until


# opening

def test_open_tells_who_it_is(opened):
    first, second = opened(consumer="indexer"), opened()
    assert first.name() == QUEUE.encode() and first.error() == b"" and first.status() == lib.OK
    assert re.fullmatch(rb"indexer:%d:\w+" % os.getpid(), first.consumer())
    assert re.fullmatch(rb".+:%d:\w+" % os.getpid(), second.consumer()) and first.consumer() != second.consumer()


WRONG_OPTIONS = [{"queue": None}, {"queue": ""}, {"redis": None}, {"redis": "http://x"}, {"lease_ms": -1}, {"timeout_ms": -1},
                 {"max_failures": -1}, {"max_crashes": -1}, {"plain_timeout_ms": -1}]


@pytest.mark.parametrize("wrong", WRONG_OPTIONS, ids=map(str, WRONG_OPTIONS))
def test_wrong_options(queue, library, wrong):
    for connect in (True, False):
        handle = lib.Handle(library, connect=connect, **{"redis": queue.redis.url, **wrong})
        assert not handle.pointer and handle.opening_error


def test_open_without_redis(library):
    handle = lib.Handle(library, "unix:///nowhere/redis.sock")
    assert not handle.pointer and "/nowhere/redis.sock" in handle.opening_error
    library.pgusher_queue_close(None), library.pgusher_queue_batch_free(None)


def test_an_error_that_does_not_fit(library):
    """Cut, terminated, and nothing behind the buffer is touched."""
    buffer = ctypes.create_string_buffer(b"#" * 31)
    wrong = lib.options("unix:///nowhere/redis.sock")
    assert not library.pgusher_queue_open(ctypes.byref(wrong), buffer, 8)
    assert len(buffer.raw.split(b"\0")[0]) == 7 and buffer.raw[8:31] == b"#" * 23
    assert not library.pgusher_queue_open(ctypes.byref(wrong), None, 0)


def test_new_connects_later(queue, library, redis_server):
    queue.redis.stop()
    handle = lib.Handle(library, queue.redis.url, connect=False)
    assert handle.pointer and handle.push("a") == -1
    assert handle.status() == lib.AGAIN and queue.redis.socket.encode() in handle.error()
    queue.redis.start()
    assert handle.push("a") == [lib.QUEUED]
    handle.close()


# producing and consuming

def test_push_outcomes(handle, opened):
    consumer = opened()
    assert handle.push("a", "b", "a") == [lib.QUEUED, lib.QUEUED, lib.COALESCED]
    batch = consumer.reserve()
    assert handle.push("a") == [lib.DIRTY]
    consumer.nack(batch, [1], delay_ms=60_000)
    assert handle.push("b") == [lib.JOINED]
    assert consumer.ack(batch) == (1, 1, 1, 0)
    again = consumer.reserve()
    consumer.nack(again, delay_ms=lib.BURY)
    assert handle.push("a") == [lib.REVIVED]
    batch.free(), again.free()


def test_items_are_bytes(handle):
    items = [b"\0", b"a\0b", b"\xff\n\t", "é".encode(), b"x" * (1 << 20)]
    assert handle.push(*items) == [lib.QUEUED] * 5
    batch = handle.reserve()
    assert batch.items == items
    pointer = handle.library.pgusher_queue_batch_item(batch.pointer, 1, None)
    assert lib.string_at(pointer, 4) == b"a\0b\0", "terminated"
    assert handle.ack(batch)[:2] == (5, 5)
    batch.free()


@pytest.mark.parametrize("items", [[b""], [b"a", b""], [b"x" * ((1 << 20) + 1)], [b"%d" % n for n in range(1001)]],
                         ids=["empty", "second empty", "too long", "too many"])
def test_push_refuses(queue, handle, items):
    assert handle.push(*items) == -1 and handle.status() == lib.REFUSED and handle.error()
    assert not queue.client.exists(QUEUE), "nothing was pushed"
    assert handle.push("a") == [lib.QUEUED], "it goes on"


def test_push_of_nothing(handle):
    assert handle.push() in ([], -1)


def test_reserve_in_order_with_growing_tokens(handle, opened):
    other = opened()
    handle.push(*map(str, range(1000)))
    first, second = handle.reserve(600), other.reserve(1000)
    assert first.items + second.items == [b"%d" % n for n in range(1000)]
    assert 0 < first.token < second.token < 2 ** 53
    assert handle.left() == 400 and other.left() == 0
    assert handle.reserve() is None and first.attempt() == 1
    assert handle.ack(first) == (600, 600, 0, 0) and other.ack(second) == (400, 400, 0, 0)
    first.free(), second.free()


@pytest.mark.parametrize("most", [0, 1001])
def test_reserve_refuses(handle, most):
    assert handle.reserve(most) == -1 and handle.status() == lib.REFUSED


def test_reserve_waits_for_the_first(queue, handle):
    """A push ends the wait at once; without one it ends when the time is up."""
    assert handle.reserve(wait_ms=150) is None
    pusher = threading.Thread(target=lambda: (queue.until_idle(), queue.push("a")))
    pusher.start()
    batch = handle.reserve(wait_ms=7_000 * SLOWER)
    pusher.join()
    assert batch and batch.items == [b"a"]
    batch.free()


def test_settling_some(queue, handle):
    handle.push("a", "b", "c", "d", "e")
    batch = handle.reserve()
    assert handle.ack(batch, [1, 3]) == (2, 2, 0, 0)
    assert batch.settled == [False, True, False, True, False]
    assert handle.nack(batch, [0], reason="because", delay_ms=60_000) == 1
    assert handle.release(batch) == 2 and batch.settled == [True] * 5
    assert queue.waiting() == ["c", "e"]
    assert handle.ack(batch) == (0, 0, 0, 0), "nothing is left to settle"
    (item, when, failures, crashes, reason), = handle.each(lib.DELAYED)
    assert (item, failures, crashes, reason) == (b"a", 1, 0, b"because")
    assert 0 < when - queue.now_ms() < 120_000
    batch.free()


def test_settling_twice_or_what_is_not_there(handle):
    handle.push("a", "b")
    batch = handle.reserve()
    assert handle.ack(batch, [0, 0])[:2] in ((1, 1), (-1, 0))
    assert handle.ack(batch, [0])[1] == 0
    assert handle.ack(batch, [2])[0] == -1 and handle.status() == lib.REFUSED
    assert handle.ack(batch, [])[:2] == (0, 0), "no numbers, no items"
    assert batch.settled == [True, False]
    batch.free()


def test_ack_and_reserve_in_one(queue, handle):
    handle.push("a", "b", "c", "d")
    first = handle.reserve(2)
    handle.push("a")
    second, *counts = handle.ack_reserve(first, 2)
    assert counts == [2, 1, 0] and first.settled == [True, True]
    assert second.items == [b"c", b"d"] and second.token > first.token
    handle.nack(second, [0], delay_ms=60_000)
    third, *counts = handle.ack_reserve(second, 2)
    assert counts == [1, 0, 0] and third.items == [b"a"], "what was settled already is left alone"
    assert handle.ack_reserve(third) == (None, 1, 0, 0)
    assert queue.stats()["delayed"] == 1 and queue.stats()["in_flight"] == 0
    first.free(), second.free(), third.free()


def test_reasons_are_cut(handle):
    handle.push("a")
    batch = handle.reserve()
    assert handle.nack(batch, reason="r" * 5000, delay_ms=lib.BURY) == 1
    assert len(handle.each(lib.DEAD)[0][4]) == 512
    batch.free()


def test_attempts_and_death(opened):
    handle = opened(max_failures=3)
    handle.push("a")
    for attempt in (1, 2, 3):
        batch = until(handle.reserve)
        assert batch.attempt() == attempt
        assert handle.nack(batch, delay_ms=0) == 1
        batch.free()
    assert [entry[:1] + entry[2:4] for entry in handle.each(lib.DEAD)] == [(b"a", 3, 0)]


def test_default_backoff(queue, handle):
    """About a second, then about two: doubling, with jitter."""
    handle.push("a")
    delays = []
    for _ in range(3):
        batch = handle.reserve()
        handle.nack(batch)
        batch.free()
        delays.append(handle.each(lib.DELAYED)[0][1] - queue.now_ms())
        queue.client.zadd(f"{QUEUE}:delayed", {"a": 0})
    assert all(0 < delay <= limit + 1000 * (SLOWER - 1) for delay, limit in zip(delays, (1500, 3000, 6000))), delays
    assert all(delay > 400 for delay in delays), delays


def test_an_ack_after_the_lease_is_stale(queue, opened):
    late, other = opened(lease_ms=100), opened()
    late.push("a")
    batch = late.reserve()
    mine = until(lambda: other.reserve(wait_ms=0))
    assert mine.items == [b"a"] and mine.token > batch.token and mine.attempt() == 2
    assert late.heartbeat() == 0, "it is told"
    assert late.ack(batch) == (0, 0, 0, 1) and late.nack(batch) == 0 and late.release(batch) == 0
    assert queue.stats()["in_flight"] == 1
    assert other.ack(mine) == (1, 1, 0, 0)
    batch.free(), mine.free()


def test_heartbeats_keep_the_lease(opened):
    steady, other = opened(lease_ms=400 * SLOWER), opened(lease_ms=400 * SLOWER)
    steady.push("a")
    batch = steady.reserve()
    beats = [steady.heartbeat() or other.reserve() for _ in range(10) if other.reserve(wait_ms=100 * SLOWER) is None]
    assert beats == [1] * 10
    assert steady.ack(batch) == (1, 1, 0, 0)
    batch.free()


def test_close_gives_back_what_is_held(queue, opened, library):
    leaver = lib.Handle(library, queue.redis.url)
    leaver.push("a", "b", "c")
    batch = leaver.reserve(2)
    leaver.close()
    assert queue.waiting() == ["a", "b", "c"] and queue.stats()["consumers"] == []
    assert batch.items == [b"a", b"b"], "readable still"
    batch.free()
    assert opened().reserve().attempt() == 1, "not counted"


def test_a_freed_batch_stays_in_flight(queue, handle):
    handle.push("a")
    handle.reserve().free()
    assert handle.reserve() is None and queue.stats()["in_flight"] == 1


# waiting in two steps

def readable(descriptor, seconds):
    return bool(select.select([descriptor], [], [], seconds)[0])


def test_wait_in_two_steps(queue, handle):
    assert handle.reserve() is None
    descriptor = handle.wait_begin(5000)
    assert descriptor >= 0 and not readable(descriptor, 0.1)
    queue.push("a")
    assert readable(descriptor, 2 * SLOWER) and handle.wait_end() == 1
    batch = handle.reserve()
    assert batch.items == [b"a"] and handle.ack(batch) == (1, 1, 0, 0)
    batch.free()


def test_wait_until_time_is_up(handle):
    handle.reserve()
    descriptor = handle.wait_begin(100)
    assert readable(descriptor, 2 * SLOWER) and handle.wait_end() == 0


def test_wait_has_an_end_though_redis_hangs(queue, opened, redis_server):
    """Whoever calls wait_end when wait_ms is over has waited for nothing, and no longer."""
    handle = opened(timeout_ms=300)
    handle.reserve()
    descriptor = handle.wait_begin(200)
    assert 150 <= handle.wait_ms() < 2000
    queue.redis.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    assert not readable(descriptor, handle.wait_ms() / 1000)
    assert handle.wait_end() in (0, -1) and time.monotonic() - began < 2.5 * SLOWER
    queue.redis.process.send_signal(signal.SIGCONT)
    until(lambda: handle.push("a") == [lib.QUEUED])
    assert until(handle.reserve).items == [b"a"]


def test_wait_is_cut_to_a_quarter_of_the_lease(opened):
    handle = opened(lease_ms=800)
    handle.reserve()
    descriptor = handle.wait_begin(3_600_000)
    assert readable(descriptor, 0.2 + 0.3 * SLOWER) and handle.wait_end() == 0


def test_wait_is_cancelled(queue, handle):
    """What came in the last moment is not lost, and nothing is taken afterwards."""
    found = []

    def take():
        while (batch := handle.reserve()):
            found.extend(batch.items)
            handle.ack(batch)
            batch.free()
    for number in range(50):
        take()
        assert handle.wait_begin(5000) >= 0
        if number % 2:
            queue.push(f"event:{number}")
        began = time.monotonic()
        assert handle.wait_cancel() >= 0
        assert time.monotonic() - began < 1.0 * SLOWER, "at once, even before Redis has seen the wait"
    queue.push("last")
    assert queue.client.llen(QUEUE) >= 1
    take()
    assert found == [*(b"event:%d" % number for number in range(1, 50, 2)), b"last"]


def test_no_wait_where_there_is_none(queue, handle):
    assert handle.wait_begin(0) == -2
    handle.pause(True)
    assert handle.reserve() is None and handle.wait_begin(5000) == -2
    handle.push("a")
    assert handle.reserve() is None and handle.left() == 1
    handle.pause(False)
    assert handle.reserve().items == [b"a"]


def test_due(handle):
    assert handle.reserve() is None and handle.due_ms() == -1
    handle.push("a")
    batch = handle.reserve()
    handle.nack(batch, delay_ms=30_000)
    assert handle.reserve() is None and 20_000 < handle.due_ms() <= 30_000
    batch.free()
