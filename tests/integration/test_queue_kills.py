"""Whatever is killed, and when: in the end every document is indexed as the source has it, and the queue is empty."""
import os
import signal

import pytest

from harness.programs import SLOWER
from harness.queue import QUEUE
from harness.queue_relay import Relay
from harness.queue_workshop import Workshop
from harness.redis_server import RedisServer
from harness.waiting import stays, until


@pytest.fixture
def workshop(queue, redis_server):
    return Workshop(queue)


def commands(client):
    return client.info("commandstats")


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return list(map(int, file.read().split()))
    except FileNotFoundError:
        return []


def command_of(consumer):
    """Pid of a command that it runs just now, which is its child's child; or None."""
    return next((pid for leader in children(consumer.process.pid) for pid in children(leader)), None)


def test_without_any_kill(workshop):
    workshop.consumer(), workshop.consumer("--parallel", "2")
    with workshop.source as source:
        source.goes_on(2000)
    workshop.in_step()
    counters = workshop.queue.stats()["counters"]
    assert counters["recovered"] == counters["failed"] == counters["died"] == 0


def test_consumers_are_killed(workshop):
    """kill -9, again and again: others take over within a lease, and nobody ever searches all of Redis for it."""
    survivor = workshop.consumer()
    with workshop.source as source:
        for _ in range(6):
            victim = workshop.consumer()
            workshop.queue.until(lambda: command_of(victim))
            victim.kill()
            source.goes_on(200)
    workshop.queue.until(lambda: workshop.queue.client.zcard(f"{QUEUE}:consumers") == 1, 10, "the dead have gone")
    assert not {"cmdstat_scan", "cmdstat_keys"} & set(commands(workshop.queue.client))
    workshop.in_step()
    assert workshop.queue.stats()["counters"]["recovered"] > 0
    survivor.stop()


def test_commands_are_killed(workshop):
    """A killed command is a failed run: halves are tried, at last an item may be charged, and nothing is lost."""
    consumer = workshop.consumer()
    killed = 0
    with workshop.source as source:
        while killed < 15:
            child = workshop.queue.until(lambda: command_of(consumer))
            try:
                os.kill(child, signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                pass
            source.goes_on(40)
    workshop.in_step(30)
    consumer.stop()
    assert consumer.said("signal 9")


@pytest.mark.parametrize("fsync, again_s", [("always", 0), ("everysec", 3)])
def test_redis_is_killed(queue, workspace, fsync, again_s):
    """What "everysec" may lose is queued again, as pgusherd does after a takeover; "always" loses nothing."""
    server = RedisServer(os.path.join(workspace, "durable"), "--appendonly", "yes", "--appendfsync", fsync)
    try:
        server.start()
        queue.redis, queue.client = server, server.client
        workshop = Workshop(queue, again_s=again_s)
        workshop.consumer(), workshop.consumer("--parallel", "2")
        with workshop.source as source:
            for _ in range(3):
                source.goes_on(400)
                server.stop()
                server.start()
                source.goes_on(100, 30)
        assert source.refused >= 3
        workshop.in_step(30)
        queue.stop()
    finally:
        server.remove()


def test_connections_are_killed(workshop):
    """Answers are lost in the middle of a call: each is repeated, and none is done twice."""
    consumer = workshop.consumer("--parallel", "2")
    killer = workshop.queue.redis.connect()
    with workshop.source as source:
        for _ in range(60):
            killer.client_kill_filter(_type="normal", skipme=True)
            source.goes_on(40)
    workshop.in_step(30)
    assert consumer.alive()


def test_answers_are_lost(workshop):
    """One in twenty, of every kind of call."""
    with Relay(workshop.queue.folder, workshop.queue.redis) as relay:
        workshop.queue.use({QUEUE: {"max_crashes": 1000, "max_failures": 1000}}, redis=relay.url)
        consumer = workshop.consumer("--parallel", "2")
        with workshop.source as source:
            workshop.queue.until_registered()
            relay.lossy(0.05)
            source.goes_on(3000)
            workshop.queue.until(lambda: relay.lost > 20)
        relay.lossy(0)
        workshop.in_step(30)
        consumer.stop()


def test_redis_is_full(workshop):
    """Producers are refused, consumers drain; when there is room again all goes on."""
    client = workshop.queue.client
    with workshop.source as source:
        source.goes_on(1000)
        client.config_set("maxmemory", 1)
        until(lambda: source.refused, 10 * SLOWER)
        workshop.queue.run("push", QUEUE, "doc:1").must(69, "memory")
        before = source.changes
        workshop.consumer()
        workshop.queue.until(workshop.drained, 20, lambda: workshop.queue.leftovers())
        assert source.changes - before <= source.page, "nobody could push"
        client.config_set("maxmemory", 0)
        source.goes_on(500)
    workshop.in_step()


def test_a_consumer_is_stopped_beyond_its_lease(queue, redis_server):
    """Its items are given to another; its own late ack changes nothing, not even while the other still works on them."""
    gates = queue.file("gate-1"), queue.file("gate-2")

    def held_by(number):
        wait = f"until [ -e {gates[number - 1]} ]; do sleep 0.02; done"
        return queue.consume(queue.handler(wait, name=f"handler-{number}.sh"), "--lease", "1 s")

    first = held_by(1)
    queue.push("a", "b")
    queue.until(lambda: queue.runs())
    second = held_by(2)
    queue.until_registered(2)
    first.process.send_signal(signal.SIGSTOP)
    queue.until(lambda: len(queue.runs()) == 2, 1 + 0.5 * SLOWER)
    first.process.send_signal(signal.SIGCONT)
    first.says("level=warn")
    queue.file("gate-1", "")
    queue.push("c")
    queue.until_counted(acked=1)
    assert queue.runs()[-1] == ["c"] and queue.stats()["in_flight"] == 2, "only c is done"
    queue.file("gate-2", "")
    queue.until_counted(acked=3)
    assert sorted(map(tuple, queue.runs())) == [("a", "b"), ("a", "b"), ("c",)]
    assert queue.stats()["counters"]["recovered"] == 2 and not queue.client.exists(f"{QUEUE}:inflight")
    first.stop(), second.stop()
    assert queue.stats()["consumers"] == []


def test_stopped_consumers_among_traffic(workshop):
    steady = workshop.consumer()
    sleepy = workshop.consumer()
    with workshop.source as source:
        for _ in range(2):
            workshop.queue.until(lambda: command_of(sleepy))
            sleepy.process.send_signal(signal.SIGSTOP)
            stays(steady.alive, 1.5)
            sleepy.process.send_signal(signal.SIGCONT)
            source.goes_on(400)
    workshop.in_step()
    steady.stop(), sleepy.stop()


def test_the_items_of_the_dead_come_back_within_a_lease(queue, redis_server):
    """From the moment of the kill, by a consumer that was idle; nobody scans."""
    queue.push("a", "b")
    victim = queue.consume(queue.handler("sleep 60"), "--lease", "1 s")
    queue.until(lambda: queue.runs())
    idle = queue.consume(queue.handler(name="second.sh"), "--lease", "1 s")
    queue.until_idle()
    victim.kill()
    queue.until(lambda: queue.runs() == [["a", "b"]] * 2, 1 + 0.5 * SLOWER, "within one lease")
    queue.until_counted(acked=2, recovered=2)
    assert not {"cmdstat_scan", "cmdstat_keys"} & set(commands(queue.client))
    idle.stop()


def test_an_item_that_kills_its_consumers_becomes_a_dead_letter(queue, redis_server):
    """The command kills consume itself: max_crashes deaths, and then the others have peace."""
    queue.settings(max_crashes=2, lease="1 s")
    command = queue.handler(f'case " $* " in *KILLER*) until kill -9 $(cat {queue.file("victim")}); do sleep 0.02; done;; esac')
    queue.push("KILLER", "b")
    for _ in range(2):
        victim = queue.consume(command, "--batch", "1")
        queue.file("victim", str(victim.process.pid))
        victim.exits(-signal.SIGKILL)
    peaceful = queue.consume(command, "--batch", "1")
    queue.until_counted(died=1, acked=1)
    assert queue.dead()["KILLER"]["crashes"] == 2
    peaceful.stop()


def test_everybody_dies_and_somebody_comes_later(queue, redis_server):
    """Whoever comes next takes it over; `list` and `stats` tell of it meanwhile."""
    queue.push("a", "b")
    victim = queue.consume(queue.handler("sleep 60"), "--lease", "1 s")
    queue.until(lambda: queue.runs())
    victim.kill()
    queue.until(lambda: queue.stats()["consumers"][0]["lease_left_ms"] < 0, 3)
    assert queue.stats()["in_flight"] == 2
    successor = queue.consume(queue.handler(), "--lease", "1 s")
    queue.until_counted(acked=2, recovered=2, seconds=2)
    successor.stop()
    assert queue.empty()


def caught_waiting(queue, victim):
    """Pushes until a blocking move of the stopped victim has taken the item."""
    for number in range(1, 20):
        queue.until_idle()
        victim.process.send_signal(signal.SIGSTOP)
        queue.push(f"event:{number}")
        if not queue.client.llen(QUEUE):
            return number
        victim.process.send_signal(signal.SIGCONT)  # its time was up just before
        queue.until_counted(acked=number)
    pytest.fail("it never waits")


def test_kill_while_it_waits(queue, redis_server):
    """What the blocking move brought to a dead consumer was never delivered: it comes back without a penalty."""
    victim = queue.consume(queue.handler(), "--lease", "2 s")
    number = caught_waiting(queue, victim)
    victim.kill()
    successor = queue.consume(f"cat >/dev/null; echo $ATTEMPT >>{queue.file('attempts')}", "--lease", "2 s")
    queue.until_counted(acked=number, seconds=4)
    assert queue.read("attempts") == "1\n"
    successor.stop()
