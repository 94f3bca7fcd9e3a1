"""libpgusher-queue: looking and repairing, errors, and answers that are lost."""
import os
import signal
import threading
import time

import pytest

from harness import queue_library as lib
from harness.programs import SLOWER, path
from harness.queue import QUEUE, Native, script
from harness.queue_relay import Relay
from harness.redis_server import RedisServer
from harness.waiting import until


# looking and repairing

def test_stats(handle, opened):
    other = opened()
    handle.push("a", "b", "c")
    batch = other.reserve(2)
    stats = handle.stats()
    expected = {"waiting": 1, "in_flight": 2, "dirty": 0, "delayed": 0, "dead": 0, "plain": 0, "paused": False,
                "coalesce": True, "max_failures": 8, "max_crashes": 3, "queued": 3, "acked": 0, "next_due_ms": -1}
    assert {name: stats[name] for name in expected} == expected
    assert [(one["name"], one["held"]) for one in stats["consumers"]] == [(other.consumer(), 2)]
    assert 20_000 < stats["consumers"][0]["lease_left_ms"] <= 30_000 and abs(stats["now_ms"] / 1000 - 1.7e9) < 1e9
    batch.free()


def test_settings(opened):
    opened(max_failures=2, max_crashes=1, coalesce=-1).push("a", "a")
    stats = opened().stats()
    assert (stats["max_failures"], stats["max_crashes"], stats["coalesce"], stats["waiting"]) == (2, 1, False, 2)


def test_each(queue, handle):
    items = [b"event:%d" % number for number in range(2500)]
    for start in range(0, 2500, 500):
        handle.push(*items[start:start + 500])
    assert [entry[0] for entry in handle.each(lib.WAITING)] == items
    assert [entry[0] for entry in handle.each(lib.WAITING, 1200, 900)] == items[1200:2100]
    assert [entry[0] for entry in handle.each(lib.WAITING, stop_after=3)] == items[:3]
    assert handle.each(lib.WAITING, 9999) == handle.each(lib.DEAD) == []
    item, when, failures, crashes, reason = handle.each(lib.WAITING, most=1)[0]
    assert abs(when - queue.now_ms()) < 60_000 and (failures, crashes, reason) == (0, 0, b"")


def test_repair(queue, handle, opened):
    handle.push("a", "b", "c")
    batch = handle.reserve(2)
    handle.nack(batch, delay_ms=lib.BURY)
    assert handle.replay("b", "z", "c") == (1, [True, False, False])
    assert handle.replay_all() == 1 and handle.replay_all() == 0
    assert handle.remove("a", "z", "c") == (2, [True, False, True]) and queue.waiting() == ["b"]
    assert handle.purge_dead() == 0 and handle.purge_all() == 1 and queue.waiting() == []
    opened().push("d")
    opened(lease_ms=100).reserve().free()
    until(lambda: handle.recover() == 1)
    assert queue.waiting() == ["d"]
    batch.free()


# errors

def test_errors_of_the_operator(queue, library, workspace, redis_server):
    guarded = RedisServer(os.path.join(workspace, "guarded"), "--requirepass", "secret")
    try:
        guarded.start()
        assert not lib.Handle(library, guarded.url, password="wrong").pointer
        handle = lib.Handle(library, guarded.url, password="wrong", connect=False)
        assert handle.push("a") == -1 and handle.status() == lib.CONFIG and b"secret" not in handle.error()
        handle.close()
        handle = lib.Handle(library, guarded.url, password="secret")
        assert handle.push("a") == [lib.QUEUED]
        handle.close()
    finally:
        guarded.remove()


def test_a_key_of_another_type(queue, handle):
    queue.client.set(f"{QUEUE}:inflight", "x")
    for call in (lambda: handle.push("a"), handle.reserve, handle.stats):
        assert call() == -1 and handle.status() == lib.REFUSED and f"{QUEUE}:inflight".encode() in handle.error()
    assert not queue.client.exists(QUEUE)
    queue.client.delete(f"{QUEUE}:inflight")
    assert handle.push("a") == [lib.QUEUED]


def test_redis_is_full(queue, opened, redis_server):
    handle = opened()
    handle.push("a", "b")
    queue.client.config_set("maxmemory", 1)
    assert handle.push("c") == -1 and handle.status() == lib.AGAIN
    batch = handle.reserve(1)
    assert handle.ack(batch) == (1, 1, 0, 0)
    assert handle.release(handle.reserve()) == 1
    assert handle.reserve(wait_ms=50).items == [b"b"]
    batch.free()


def test_redis_restarts(queue, opened, redis_server):
    """Each call may be repeated, and the batch in hand is still ours."""
    handle = opened()
    handle.push("a", "b")
    batch = handle.reserve(1)
    queue.redis.save_and_stop()
    assert handle.ack(batch)[0] == -1 and handle.status() in (lib.AGAIN, lib.LOST) and batch.settled == [False]
    assert handle.heartbeat() == -1
    queue.redis.start()
    assert handle.ack(batch) == (1, 1, 0, 0) and handle.reserve().items == [b"b"]
    batch.free()


def test_redis_does_not_answer(queue, opened, redis_server):
    """A call takes timeout_ms at most; its connection is not used again, so no late answer is taken for another's."""
    handle = opened(timeout_ms=300)
    handle.push("a")
    queue.redis.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    assert handle.push("b") == -1 and handle.status() in (lib.LOST, lib.AGAIN)
    assert 0.2 < time.monotonic() - began < 1.0 * SLOWER
    queue.redis.process.send_signal(signal.SIGCONT)
    stats = handle.stats()
    assert stats["waiting"] == 2 and handle.push("b") == [lib.COALESCED]


def test_connections_are_killed(queue, opened):
    """Every answer that is lost is repeated by the caller; nothing is done twice, nothing is lost."""
    handle, killer = opened(), queue.redis.connect()
    handle.push(*map(str, range(50)))
    acked = 0
    while acked < 50:
        killer.client_kill_filter(_type="normal", skipme=True)
        batch = handle.reserve(7)
        if batch in (-1, None):
            continue
        killer.client_kill_filter(_type="normal", skipme=True)
        while handle.ack(batch)[0] < 0:
            assert handle.status() in (lib.AGAIN, lib.LOST)
        acked += len(batch.items)
        batch.free()
    until(lambda: handle.stats() != -1)
    stats = handle.stats()
    assert stats["acked"] == 50 and stats["waiting"] == stats["in_flight"] == 0


def test_many_handles(queue, opened):
    """Threads with a handle each; every item is given once."""
    opened().push(*map(str, range(1000)))
    found, handles = [], [opened() for _ in range(8)]

    def work(handle):
        while (batch := handle.reserve(7)):
            found.extend(batch.items)
            handle.ack(batch)
            batch.free()
    threads = [threading.Thread(target=work, args=(handle,)) for handle in handles]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
    assert sorted(map(int, found)) == list(range(1000)) and queue.counters("acked") == [1000]


def test_it_prints_nothing(queue, capfd, library):
    handle = lib.Handle(library, queue.redis.url)
    handle.reserve(0), handle.push(""), handle.push("a")
    handle.close()
    lib.Handle(library, "unix:///nowhere")
    assert capfd.readouterr() == ("", "")


# answers that are lost, or late

@pytest.fixture
def relayed(queue, library):
    """(relay, handle): one whose answers a test can lose. All scripts are loaded: no answer is NOSCRIPT."""
    for name in os.listdir(path("lua")):
        queue.client.script_load(script(name.removesuffix(".lua")))
    with Relay(queue.folder, queue.redis) as relay:
        handle = lib.Handle(library, relay.url)
        handle.push("a", "b")
        yield relay, handle
        handle.close()


@pytest.mark.parametrize("throw_away", [lambda handle: handle.purge_all(), lambda handle: handle.remove("a", "b")[0]], ids=["purge", "rm"])
def test_a_consumer_comes_while_all_is_thrown_away(queue, relayed, throw_away):
    """It came after the registry was read: what it holds goes with the rest, and is not found in its list and handled again."""
    relay, handle = relayed
    native = Native(queue.client)
    relay.before(b"EVALSHA", lambda: native.reserve() == ["a"] or pytest.fail("the other was first"))
    assert throw_away(handle) == 2
    assert native.ack("a")[0] == 0 and native.reserve() == [] and queue.empty()


def lost(relay, handle, call):
    """The call fails because its answer is lost; what it asked for has been done."""
    relay.lose()
    result = call()
    assert (result[0] if isinstance(result, tuple) else result) == -1 and handle.status() == lib.LOST, result


def test_the_answer_of_a_push_is_lost(relayed):
    relay, handle = relayed
    lost(relay, handle, lambda: handle.push("c"))
    assert handle.push("c") == [lib.COALESCED]


def test_the_answer_of_a_reserve_is_lost(relayed):
    """The consumer lives on, so no lease ends: the next reserve gives what the lost answer held."""
    relay, handle = relayed
    lost(relay, handle, lambda: handle.reserve(1))
    batch = handle.reserve(10)
    assert sorted(batch.items) == [b"a", b"b"] and batch.attempt(0) == batch.attempt(1) == 1
    assert handle.ack(batch) == (2, 2, 0, 0) and handle.reserve() is None
    batch.free()


def test_the_answers_of_reserves_are_lost_again_and_again(relayed):
    """Beside a batch in hand, which stays as it is."""
    relay, handle = relayed
    mine = handle.reserve(1)
    for _ in range(3):
        lost(relay, handle, lambda: handle.reserve(1))
    batch = handle.reserve(1)
    assert batch.items == [b"b"] and handle.ack(mine) == (1, 1, 0, 0) and handle.ack(batch) == (1, 1, 0, 0)
    mine.free(), batch.free()


@pytest.mark.parametrize("settle, left", [
    (lambda handle, batch: handle.ack(batch), {"acked": 2}),
    (lambda handle, batch: handle.nack(batch), {"failed": 2, "delayed": 2}),
    (lambda handle, batch: handle.release(batch), {"released": 2, "waiting": 2})], ids=["ack", "nack", "release"])
def test_the_answer_of_settling_is_lost(relayed, settle, left):
    """Settled once; the repeated call finds it done."""
    relay, handle = relayed
    batch = handle.reserve()
    lost(relay, handle, lambda: settle(handle, batch))
    assert batch.settled == [False, False]
    assert settle(handle, batch) in (0, (0, 0, 0, 2)) and batch.settled == [True, True]
    stats = handle.stats()
    assert {name: stats[name] for name in left} == left and stats["in_flight"] == 0
    assert all(entry[2:4] == (1, 0) for entry in handle.each(lib.DELAYED))
    batch.free()


def test_the_answer_of_ack_and_reserve_is_lost(relayed):
    relay, handle = relayed
    batch = handle.reserve(1)
    lost(relay, handle, lambda: handle.ack_reserve(batch, 1))
    handle.ack(batch)
    found = handle.reserve()
    assert found.items == [b"b"] and handle.ack(found) == (1, 1, 0, 0)
    assert handle.stats()["acked"] == 2
    batch.free(), found.free()


def test_other_answers_are_lost(relayed):
    relay, handle = relayed
    handle.reserve(1).free()
    for call in (handle.heartbeat, handle.stats, lambda: handle.replay("z"), lambda: handle.remove("z"), handle.recover,
                 lambda: handle.each(lib.WAITING), lambda: handle.pause(False)):
        lost(relay, handle, call)
    assert handle.heartbeat() == 1 and handle.stats()["in_flight"] == 1


def test_many_answers_are_lost(queue, library):
    """A tenth of all answers: every item is handled, and acked exactly once."""
    with Relay(queue.folder, queue.redis) as relay:
        handle = lib.Handle(library, relay.url)
        for number in range(0, 500, 50):
            queue.push(*map(str, range(number, number + 50)))
        relay.lossy(0.1)
        found = []
        while len(set(found)) < 500:
            batch = handle.reserve(7)
            if batch not in (-1, None):
                found += batch.items
                until(lambda: handle.ack(batch)[0] >= 0)
                batch.free()
        relay.lossy(0)
        handle.close()
    assert relay.lost > 5
    queue.settled(acked=500)
    assert queue.empty() and len(found) == 500
