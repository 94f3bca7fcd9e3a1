"""Waits whose server, privileges or lease are not what they were when they began."""
import pytest

from harness import queue_library as lib
from harness.queue import QUEUE
from harness.waiting import stays, until
from test_queue_trouble import connected, far, forbid, relay, waiters  # noqa: F401 (fixtures)

STRANGERS = 24


# a server that gives ids anew

@pytest.fixture
def strangers():
    """Opens connections of others, which block in Redis; each tells what became of it."""
    connections = []

    def open_some(queue):
        for number in range(STRANGERS):
            connection = queue.redis.connect().connection_pool.get_connection("BLPOP")
            connection.send_command("BLPOP", f"stranger:{number}", 0)
            connections.append(connection)
        until(lambda: len(waiters(queue)) >= STRANGERS)
        return connections
    yield open_some
    for connection in connections:
        connection.disconnect()


def restart(queue):
    queue.client.connection_pool.disconnect()
    queue.redis.stop()
    queue.redis.start()


def begin_waiting(queue, handle):
    """The id of its connection."""
    known = waiters(queue)
    assert handle.reserve() is None and handle.wait_begin(1000) >= 0
    waiter, = until(lambda: waiters(queue) - known)
    return int(waiter)


def disturbed(queue, strangers):
    """Those who were given an answer, or lost their connection."""
    return STRANGERS - len(waiters(queue)), [one for one in strangers if one.can_read(0)]


def test_a_lost_wait_at_a_redis_that_was_restarted(queue, redis_server, opened, strangers):
    """The id of its connection is a stranger's there, who must not be killed for it."""
    handle = opened()
    waiter = begin_waiting(queue, handle)
    queue.redis.stop()
    assert handle.wait_end() == -1 and handle.status() == lib.LOST
    assert handle.reserve() == -1
    queue.redis.start()
    others = strangers(queue)
    assert str(waiter) in connected(queue), "somebody has its id"
    assert handle.reserve() is None, handle.error()
    assert disturbed(queue, others) == (0, [])
    queue.push("a")
    assert handle.reserve(wait_ms=500).items == [b"a"]


def test_a_wait_that_hears_nothing_of_a_restart(queue, redis_server, relay, far, strangers):  # noqa: F811
    """Another call has found the new server meanwhile: the end of the wait is not asked for there."""
    waiter = begin_waiting(queue, far)
    relay.broken = True
    restart(queue)
    others = strangers(queue)
    assert str(waiter) in connected(queue), "somebody has its id"
    until(lambda: far.heartbeat() == 0)
    assert far.wait_cancel() == -1 and far.status() == lib.LOST
    assert far.reserve() is None, far.error()
    assert disturbed(queue, others) == (0, [])


# what cannot be ended

def begin_lost_wait(queue, relay, library, lease_ms, wait_ms):  # noqa: F811
    """Of a consumer who may not end it."""
    forbid(queue, "-client")
    handle = lib.Handle(library, relay.url, lease_ms=lease_ms)
    assert handle.reserve() is None and handle.wait_begin(wait_ms) >= 0
    queue.until_idle()
    relay.broken = True
    return handle


def test_closing_with_a_lost_wait_that_cannot_be_ended(queue, redis_server, relay, library, opened):  # noqa: F811
    """Where CLIENT is forbidden it may bring something until its time is over, and its consumer stays known as long."""
    handle = begin_lost_wait(queue, relay, library, lease_ms=40_000, wait_ms=10_000)
    assert handle.wait_cancel() == -1 and handle.status() == lib.LOST
    assert handle.reserve() is None, handle.error()
    assert handle.wait_begin(100) == -2, "one that ends would not tell that the first has ended"
    name = handle.consumer()
    handle.close()
    queue.push("a")
    assert queue.client.lrange(f"{QUEUE}:processing:{name.decode()}", 0, -1) == [b"a"], "it has brought something"
    assert queue.client.zrange(f"{QUEUE}:consumers", 0, -1) == [name]
    queue.client.zadd(f"{QUEUE}:consumers", {name: 1})
    batch = until(opened().reserve)
    assert batch.items == [b"a"] and batch.attempt() == 1
    batch.free()


def test_a_lost_wait_that_cannot_be_ended_is_over_in_time(queue, redis_server, relay, library):  # noqa: F811
    handle = begin_lost_wait(queue, relay, library, lease_ms=8000, wait_ms=100)
    assert handle.wait_end() == -1 and handle.status() == lib.LOST
    relay.mend()
    assert handle.reserve(wait_ms=200) is None, handle.error()
    handle.close()
    assert not queue.client.exists(f"{QUEUE}:consumers")


# a lease that is old

def test_no_wait_after_a_reserve_that_failed(queue, handle):
    """A consumer that is not registered must not be brought anything."""
    handle.push("a")
    queue.client.set(f"{QUEUE}:dirty", "x")
    assert handle.reserve() == -1 and handle.status() == lib.REFUSED
    assert handle.wait_begin(500) == -2 and queue.waiting() == ["a"]
    queue.client.delete(f"{QUEUE}:dirty")
    batch = handle.reserve()
    assert batch.items == [b"a"] and handle.ack(batch) == (1, 1, 0, 0)
    batch.free()
    assert handle.reserve() is None and handle.wait_begin(100) >= 0 and handle.wait_end() == 0


def test_no_wait_when_only_failures_are_recent(queue, opened):
    handle = opened(lease_ms=1000)
    assert handle.reserve() is None
    queue.client.set(f"{QUEUE}:dirty", "x")
    stays(lambda: handle.reserve() == -1 and handle.status() == lib.REFUSED, 0.6)
    assert handle.wait_begin(500) == -2
    queue.client.delete(f"{QUEUE}:dirty")
    assert handle.reserve() is None and handle.wait_begin(100) >= 0 and handle.wait_end() == 0
