"""Waits that are lost, forbidden or interrupted, hosts that disagree, and servers that are no Redis: nobody hangs, spins or
crashes, and nothing is lost."""
import multiprocessing
import os
import select
import signal
import socket
import socketserver
import threading
import time

import pytest

from harness import queue_library as lib
from harness.programs import SLOWER
from harness.queue import QUEUE, Native, run_queue
from harness.queue_relay import Relay
from harness.waiting import stays, until
from test_queue_bad_input import CONSUME, NAMES, VERBS


class WaitRelay(Relay):
    """A relay with a hole, while .broken, for connections that wait: their answers and ends are lost, and what they ask
    comes when the hole is mended. All others are well."""

    def __init__(self, folder, server):
        super().__init__(folder, server)
        self.broken = False
        self.held = []
        self._waiters = set()
        self._abandoned = []  # Redis takes them for alive

    def __exit__(self, *_):
        super().__exit__()
        for end in self._abandoned:
            end.close()

    def mend(self):
        self.broken = False
        for redis, data in self.held:
            try:
                redis.sendall(data)
            except OSError:
                pass  # Redis has closed it

    def _move(self, end):
        if end not in self._pairs:
            return
        if b"\r\nBLMOVE\r\n" in self._received(end, socket.MSG_PEEK):
            self._waiters |= {end, self._pairs[end]}
        if self.broken and end in self._waiters:
            self._hold(end)
        else:
            super()._move(end)

    @staticmethod
    def _received(end, flags=0):
        try:
            return end.recv(1 << 16, flags)
        except OSError:
            return b""

    def _hold(self, end):
        data = self._received(end)
        if data and end not in self._answers:
            self.held.append((self._pairs[end], data))
        elif not data:
            self._abandon(end)

    def _abandon(self, end):
        other = self._pairs.pop(end)
        del self._pairs[other]
        end.close()
        self._abandoned.append(other)


@pytest.fixture
def relay(queue):
    with WaitRelay(queue.folder, queue.redis) as relay:
        yield relay


@pytest.fixture
def far(relay, library):
    """A handle behind the relay."""
    handle = lib.Handle(library, relay.url, lease_ms=4000)
    yield handle
    handle.close()


def waiters(queue):
    """The connections that are blocked in Redis."""
    return {client["id"] for client in queue.client.client_list() if "b" in client["flags"]}


def connected(queue):
    return {client["id"] for client in queue.client.client_list()}


def work_done(queue):
    """Commands that Redis has executed, and connections it has accepted."""
    info = queue.client.info("stats")
    return info["total_commands_processed"], info["total_connections_received"]


def does_not_spin(queue, seconds=1.0):
    commands, connections = work_done(queue)
    stays(lambda: True, seconds)
    more_commands, more_connections = work_done(queue)
    assert more_commands - commands < 200 and more_connections - connections < 30


def readable(descriptor, seconds):
    return bool(select.select([descriptor], [], [], seconds)[0])


# waits that are lost

def test_lost_waits_do_not_keep_others_from_living(queue, relay):
    """Of four slots one works for longer than its lease, and three have waits that nobody answers."""
    lease = f"{2 * SLOWER} s"
    gate = queue.file("gate")
    command = queue.handler(f'[ "$1" != long ] || until [ -e {gate} ]; do sleep 0.02; done')
    queue.where = ["--redis", relay.url]
    consumer = queue.consume(command, "--parallel", "4", "--lease", lease)
    queue.until_idle(4)
    queue.push("long")
    queue.until(lambda: queue.runs())
    relay.broken = True
    queue.where = ["--redis", queue.redis.url]
    other = queue.consume(command, "--lease", lease)
    stays(lambda: queue.runs() == [["long"]], 4 * SLOWER, queue.runs)
    queue.file("gate", "")
    queue.until_counted(acked=1, seconds=4)
    relay.mend()
    queue.settled(acked=1)
    consumer.stop(), other.stop()
    assert not consumer.said("lease had run out")


def test_nothing_is_lost_with_the_waits(queue, relay):
    """What is queued while all waits are broken, and what comes later, is handled once."""
    queue.where = ["--redis", relay.url]
    consumer = queue.consume(queue.handler(), "--parallel", "4", "--lease", f"{2 * SLOWER} s")
    queue.until_idle(4)
    relay.broken = True
    for number in range(20):
        queue.push(f"event:{number}")
    queue.until_counted(acked=20)
    relay.mend()
    queue.push("last")
    queue.until_counted(acked=21)
    assert len(set(sum(queue.runs(), []))) == 21
    consumer.stop()
    queue.settled(acked=21)


def test_stopping_while_redis_hangs(queue, redis_server):
    """Four idle slots end in time, and what Redis gives to their waits afterwards is not lost."""
    consumer = queue.consume(queue.handler(), "--parallel", "4", "--lease", "2 s")
    queue.until_idle(4)
    queue.redis.process.send_signal(signal.SIGSTOP)
    with socket.socket(socket.AF_UNIX) as pusher:
        pusher.connect(queue.redis.socket)
        for number in range(6):
            pusher.sendall(f"LPUSH {QUEUE} event:{number}\r\n".encode())
        consumer.process.send_signal(signal.SIGTERM)
        try:
            consumer.exits(0, 10)
        finally:
            queue.redis.process.send_signal(signal.SIGCONT)
        queue.consume(queue.handler(), "--lease", "2 s")
        queue.until(lambda: len(set(sum(queue.runs(), []))) == 6, 10, queue.runs)
    queue.until_counted(acked=6)


def test_the_answer_of_a_wait_is_lost(queue, relay, far):
    """The next reserve has what it brought, and ends it in Redis, which knows nothing of the loss."""
    assert far.reserve() is None and far.wait_begin(800) >= 0
    until(lambda: waiters(queue))
    old = waiters(queue)
    relay.broken = True
    queue.push("a")
    assert far.wait_end() == -1 and far.status() == lib.LOST and "answer" in far.error().decode()
    batch = far.reserve()
    assert batch.items == [b"a"] and batch.attempt() == 1 and not old & connected(queue)
    relay.mend()
    queue.push("b")
    more = far.reserve()
    assert more.items == [b"b"] and far.ack(more) == (1, 1, 0, 0) and far.ack(batch) == (1, 1, 0, 0)
    batch.free(), more.free()


def test_the_answer_of_a_reserve_that_waits_is_lost(queue, relay, far):
    """There the reservation follows the wait by itself."""
    assert far.reserve(wait_ms=20) is None
    relay.broken = True
    pusher = threading.Timer(0.3, lambda: queue.push("a"))
    pusher.start()
    assert far.reserve(wait_ms=900) == -1 and far.status() == lib.LOST
    pusher.join()
    batch = far.reserve(wait_ms=0)
    assert batch.items == [b"a"] and far.ack(batch) == (1, 1, 0, 0)
    batch.free()
    relay.mend()
    queue.push("b")
    assert far.reserve(wait_ms=500).items == [b"b"]


def test_a_wait_that_reaches_redis_late(queue, relay, far):
    """A wait that was given up takes nothing, and no reservation that followed it is made, when it arrives after all."""
    assert far.reserve(wait_ms=20) is None
    known = connected(queue)
    relay.broken = True
    assert far.reserve(wait_ms=300) == -1 and far.status() == lib.LOST
    assert far.reserve() is None and len(connected(queue)) == len(known) - 1
    assert relay.held
    relay.mend()
    queue.push("a")
    stays(lambda: queue.waiting() == ["a"], 0.5, queue.leftovers)
    assert far.reserve(wait_ms=500).items == [b"a"]


def test_closing_with_a_lost_wait(queue, relay, library, opened):
    """It leaves within a moment; what the wait had brought comes back at the end of the lease at the latest."""
    handle = lib.Handle(library, relay.url, lease_ms=1200)
    assert handle.reserve() is None and handle.wait_begin(300) >= 0
    until(lambda: waiters(queue))
    relay.broken = True
    queue.push("a")
    began = time.monotonic()
    handle.close()
    assert time.monotonic() - began < 2.0 * SLOWER
    other = opened()
    batch = until(lambda: other.reserve(wait_ms=200), 5)
    assert batch.items == [b"a"] and batch.attempt() == 1 and other.ack(batch) == (1, 1, 0, 0)
    batch.free()


# waits that are forbidden, interrupted or doubled

def forbid(queue, rule):
    queue.client.execute_command("ACL", "SETUSER", "default", rule)


def test_waits_are_forbidden(queue, redis_server):
    """Says so once, and looks now and then instead."""
    forbid(queue, "-blmove")
    consumer = queue.consume(queue.handler(), "--parallel", "2", "--lease", "2 s")
    consumer.says("noperm", "blmove", "instead", seconds=3)
    does_not_spin(queue)
    stays(lambda: consumer.said("level=warn") == 1 and not consumer.said("works again"), 4, lambda: consumer.log)
    assert consumer.cpu_seconds() < 0.3 * SLOWER, consumer.log
    queue.push("a")
    queue.until_counted(acked=1, seconds=3)
    consumer.stop(3)
    queue.settled(acked=1)


def test_waits_are_forbidden_to_the_library(queue, redis_server, opened):
    """It looks again and again, for as long as it was told to wait."""
    forbid(queue, "-blmove")
    handle = opened()
    began = time.monotonic()
    assert handle.reserve(wait_ms=1200) is None, handle.error()
    assert 1.1 < time.monotonic() - began < 2 * SLOWER
    pusher = threading.Timer(0.3, lambda: queue.push("a"))
    pusher.start()
    batch = handle.reserve(wait_ms=5000)
    pusher.join()
    assert batch.items == [b"a"] and handle.ack(batch) == (1, 1, 0, 0)
    batch.free()
    stays(lambda: handle.reserve() is None, 0.6)
    assert handle.wait_begin(1000) >= 0 and handle.wait_end() == 0
    assert handle.reserve() is None and handle.wait_begin(1000) == -2
    forbid(queue, "+blmove")
    stays(lambda: handle.reserve() is None, 0.6)
    descriptor = handle.wait_begin(1000)
    queue.push("b")
    assert readable(descriptor, 1 * SLOWER) and handle.wait_end() == 1


def test_client_is_forbidden_to_consume(queue, redis_server):
    """Waits cannot be cut short, and are short."""
    forbid(queue, "-client")
    consumer = queue.consume(queue.handler(), "--parallel", "2", "--lease", "2 s")
    queue.until_idle(2)
    queue.push("a")
    queue.until_counted(acked=1)
    does_not_spin(queue)
    began = time.monotonic()
    consumer.stop(5)
    assert time.monotonic() - began < 2.5 * SLOWER and not consumer.said("level=err"), consumer.log
    queue.settled(acked=1)


def test_client_is_forbidden_to_the_library(queue, redis_server, library):
    forbid(queue, "-client")
    handle = lib.Handle(library, queue.redis.url, lease_ms=4000)
    began = time.monotonic()
    assert handle.reserve(wait_ms=400) is None, handle.error()
    assert 0.3 < time.monotonic() - began < 1.5 * SLOWER
    handle.push("a")
    batch = handle.reserve(wait_ms=400)
    assert batch.items == [b"a"] and handle.ack(batch) == (1, 1, 0, 0)
    assert handle.reserve() is None and handle.wait_begin(800) >= 0
    batch.free()
    began = time.monotonic()
    handle.close()
    assert time.monotonic() - began < 1.5 * SLOWER
    assert not queue.client.zcard(f"{QUEUE}:consumers")


@pytest.fixture
def interrupted():
    """A signal every 25 ms, with a handler; gives the list of what it noted."""
    noted = []
    before = signal.signal(signal.SIGALRM, lambda *_: noted.append(time.monotonic()))
    signal.setitimer(signal.ITIMER_REAL, 0.025, 0.025)
    yield noted
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_signals_while_reserve_waits(queue, handle, interrupted):
    """The caller's signals are its own affair."""
    began = time.monotonic()
    assert handle.reserve(wait_ms=1500) is None, handle.error()
    assert 1.4 < time.monotonic() - began < 2.5 * SLOWER and interrupted
    queue.push("a")
    assert handle.reserve(wait_ms=500).items == [b"a"]


def test_signals_while_the_queue_is_paused(handle, interrupted):
    """There is no blocking move then, and the wait lasts as long."""
    handle.pause(True)
    began = time.monotonic()
    assert handle.reserve(wait_ms=500) is None, handle.error()
    assert 0.4 < time.monotonic() - began < 1.5 * SLOWER


def test_reserve_while_a_wait_is_under_way(queue, handle):
    """Without a wait of its own it may; with one it is refused, and the first goes on."""
    assert handle.reserve() is None
    descriptor = handle.wait_begin(3000)
    assert descriptor >= 0
    assert handle.reserve(wait_ms=300) == -1 and handle.status() == lib.REFUSED
    assert "wait" in handle.error().decode() and "already" in handle.error().decode()
    assert handle.wait_begin(300) == -1 and handle.status() == lib.REFUSED
    assert handle.reserve() is None and not readable(descriptor, 0.1)
    queue.push("a")
    assert readable(descriptor, 2 * SLOWER) and handle.wait_end() == 1
    batch = handle.reserve()
    assert batch.items == [b"a"] and handle.ack(batch) == (1, 1, 0, 0)
    batch.free()
    for _ in range(3):
        assert handle.reserve() is None and handle.wait_begin(300) >= 0 and handle.wait_end() == 0
    assert handle.wait_end() == -1 and handle.status() == lib.REFUSED


# hosts that disagree

SETTINGS = {"max_failures": 3, "max_crashes": 5, "plain_timeout": "2 min", "coalesce": False}


def saved(queue):
    meta = queue.client.hgetall(f"{QUEUE}:meta")
    return {name: meta.get(name) for name in (b"max_failures", b"max_crashes", b"plain_timeout_ms", b"coalesce")}


def set_by_one_host(queue):
    queue.settings(**SETTINGS)
    queue.run("push", QUEUE, "a").must(0)
    assert saved(queue)[b"max_failures"] == b"3" and saved(queue)[b"coalesce"] in (b"0", b"-1"), saved(queue)
    return saved(queue)


def test_a_host_without_settings_leaves_them_alone(queue):
    """A queue that a configuration only names is used as it is."""
    before = set_by_one_host(queue)
    for other in ({QUEUE: {}}, {QUEUE: {"lease": "5 s"}}, {"{another}": {"max_failures": 9}}):
        queue.use(other)
        queue.run("push", QUEUE, "b").must(0)
        queue.once(queue.handler())
        assert saved(queue) == before
    queue.settings(max_failures=4)
    queue.run("push", QUEUE, "a").must(0)
    assert saved(queue) == {**before, b"max_failures": b"4"}, "one setting alone changes"
    stats = queue.stats()
    assert (stats["max_failures"], stats["max_crashes"], stats["coalesce"]) == (4, 5, False)


def test_a_worker_without_settings_leaves_them_alone(tickets, queue):
    before = set_by_one_host(queue)
    tickets.ready(tickets.projections, queues={QUEUE: {}})
    tickets.db.sql("UPDATE event SET name = name || '!'")
    queue.until(lambda: queue.client.llen(QUEUE) > 1)
    tickets.until_caught_up()
    assert saved(queue) == before


# what is no Redis, or no queue

ANSWERS = ["+OK", ":1", "*0", "$-1", "*-1", "*3\r\n:1\r\n:2\r\n:3"]


class _Answering(socketserver.StreamRequestHandler):
    def handle(self):
        while (line := self.rfile.readline()):
            for _ in range(int(line[1:])):
                self.rfile.read(int(self.rfile.readline()[1:]) + 2)
            self.wfile.write(self.server.answer)


@pytest.fixture(scope="module")
def odd_server(workspace):
    """What answers each command alike; its .answer is to be set."""
    place = os.path.join(workspace, "odd.sock")
    with socketserver.ThreadingUnixStreamServer(place, _Answering) as server:
        server.daemon_threads, server.block_on_close = True, False
        server.url = f"unix://{place}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
    os.unlink(place)


@pytest.fixture(params=ANSWERS)
def odd_url(odd_server, request):
    odd_server.answer = request.param.encode() + b"\r\n"
    return odd_server.url


@pytest.mark.parametrize("verb", VERBS + [CONSUME, ("doctor", QUEUE), ("doctor", QUEUE, "--fix")],
                         ids=NAMES + ["consume", "doctor", "doctor --fix"])
def test_verbs_at_what_is_no_redis(odd_url, verb):
    result = run_queue(*verb, "--redis", odd_url, seconds=10).must((1, 69, 78))
    assert result.text.strip(), result


def call_everything(library, url):
    """Ends the process with 0 when each call has failed and said why. (A heartbeat may well be answered with 1.)"""
    handle = lib.Handle(library, url, connect=False, timeout_ms=1000)
    handle.heartbeat()
    calls = {
        "push": lambda: handle.push("a"), "reserve": handle.reserve, "reserve and wait": lambda: handle.reserve(wait_ms=100),
        "stats": handle.stats, "recover": handle.recover,
        "each waiting": lambda: handle.each(lib.WAITING), "each delayed": lambda: handle.each(lib.DELAYED),
        "each dead": lambda: handle.each(lib.DEAD), "replay": lambda: handle.replay("a")[0], "replay all": handle.replay_all,
        "remove": lambda: handle.remove("a")[0], "purge dead": handle.purge_dead, "purge all": handle.purge_all,
        "pause": lambda: handle.pause(True),
    }
    wrong = [name for name, call in calls.items()
             if call() != -1 or handle.status() == lib.OK or not handle.error()]
    print("went well:", wrong)
    handle.close()
    os._exit(bool(wrong))


def test_the_library_at_what_is_no_redis(odd_url, library):
    process = multiprocessing.get_context("fork").Process(target=call_everything, args=(library, odd_url))
    process.start()
    process.join(20)
    ended, code = not process.is_alive(), process.exitcode
    process.kill()
    assert ended and code == 0, code


def test_a_dead_consumer_that_cannot_be_recovered(queue, handle):
    """Its list is of another type. That is no reason to give nothing, nor to try it all the time."""
    queue.client.zadd(f"{QUEUE}:consumers", {"dead": 1})
    queue.client.set(f"{QUEUE}:processing:dead", "x")
    queue.push("a", "b")
    began = time.monotonic()
    batch = handle.reserve(1)
    assert batch.items == [b"a"] and handle.ack(batch) == (1, 1, 0, 0)
    batch.free()
    batch = handle.reserve()
    assert batch.items == [b"b"] and handle.ack(batch) == (1, 1, 0, 0)
    assert handle.reserve() is None and time.monotonic() - began < 0.5 * SLOWER
    assert handle.reserve(wait_ms=400) is None and 0.3 < time.monotonic() - began < 1.5 * SLOWER
    batch.free()


def test_a_dead_consumer_beside_one_that_cannot_be_recovered(queue, handle):
    """What the other held comes back all the same."""
    queue.client.zadd(f"{QUEUE}:consumers", {"dead": 1})
    queue.client.set(f"{QUEUE}:processing:dead", "x")
    queue.push("a")
    assert Native(queue.client, lease_ms=1).reserve() == ["a"]
    batch = until(lambda: handle.reserve(wait_ms=100), 3)
    assert batch.items == [b"a"] and handle.ack(batch) == (1, 1, 0, 0)
    batch.free()


def test_consume_beside_a_dead_consumer_that_cannot_be_recovered(queue):
    queue.client.zadd(f"{QUEUE}:consumers", {"dead": 1})
    queue.client.set(f"{QUEUE}:processing:dead", "x")
    queue.push("a")
    consumer = queue.consume(queue.handler(), "--parallel", "2", "--lease", "2 s")
    queue.until_counted(acked=1)
    does_not_spin(queue)
    queue.push("b")
    queue.until_counted(acked=2, seconds=3)
    consumer.stop(3)
