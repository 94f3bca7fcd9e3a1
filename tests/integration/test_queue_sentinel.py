"""A queue in the primary that Sentinel names."""
import json
import os
import signal

import pytest

from harness import queue_library as lib
from harness.queue import QUEUE, QueueBox, run_queue
from harness.redis_sentinel import NAME, is_replica
from harness.waiting import until


@pytest.fixture
def queue(watched, workspace):
    folder = os.path.join(workspace, "sentinel-queue")
    os.makedirs(folder, exist_ok=True)
    box = QueueBox(folder, watched.primary())
    box.where = ["--redis", watched.url]
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    yield box
    box.stop()


def push(queue, items):
    return queue.run("push", QUEUE, *items)


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP], ids=["kill", "stop"])
def test_a_consumer_follows_a_failover(watched, queue, sign):
    """What was pushed before and what is pushed after is all done, without a restart of anything."""
    consumer = queue.consume(queue.handler(), "--parallel", "2", "--lease", "2 s")
    before = [f"before:{number}" for number in range(50)]
    push(queue, before).must(0)
    queue.until(lambda: set(sum(queue.runs(), [])) == set(before), 20)
    old = watched.primary()
    old.process.send_signal(sign)
    if sign == signal.SIGKILL:
        old.stop()
    watched.until_failed_over(old)
    new = watched.primary()
    after = [f"after:{number}" for number in range(50)]
    push(queue, after).must(0)
    queue.until(lambda: set(sum(queue.runs(), [])) >= set(after), 30)
    until(lambda: new.client.llen(QUEUE) == new.client.hlen(f"{QUEUE}:inflight") == 0, 20)
    if sign == signal.SIGKILL:
        old.start()
    else:
        old.process.send_signal(signal.SIGCONT)
    until(lambda: is_replica(old), 60)
    push(queue, ["last"]).must(0)
    queue.until(lambda: any("last" in run for run in queue.runs()), 20)
    consumer.stop()
    assert int(new.client.hget(f"{QUEUE}:meta", "died") or 0) == 0


def test_documents_are_read_where_the_queue_is(watched, queue):
    """A primary that was stopped calls itself primary for seconds when it goes on: what it says of documents is old."""
    old = watched.primary()
    old.client.hset("event:1", mapping={"_v": 1, "n": "old"})
    consumer = queue.consume(queue.handler(), "--docs", "--lease", "2 s")
    push(queue, ["event:1"]).must(0)
    queue.until(lambda: queue.runs(), 20)
    old.process.send_signal(signal.SIGSTOP)
    watched.until_failed_over(old)
    consumer.says("works again", seconds=30)
    new = watched.primary()
    old.process.send_signal(signal.SIGCONT)
    new.client.hset("event:1", mapping={"_v": 2, "n": "new"})
    push(queue, ["event:1"]).must(0)
    queue.until(lambda: len(queue.runs()) == 2, 20)
    assert '"n":"new"' in queue.runs()[1][0], queue.runs()
    consumer.stop()


def test_a_former_primary_is_left(watched, library):
    """What a connection that outlived the failover does goes to the new primary, though the old one would take it."""
    handle = lib.Handle(library, watched.url)
    assert handle.push("before") == [lib.QUEUED]
    old = watched.primary()
    old.process.send_signal(signal.SIGSTOP)
    watched.until_failed_over(old)
    new = watched.primary()
    port = watched.ports[watched.servers.index(new)]
    until(lambda: all(sentinel.master()["port"] == port for sentinel in watched.sentinels), 20)
    old.process.send_signal(signal.SIGCONT)
    assert handle.push("after") == [lib.QUEUED]
    assert b"after" in new.client.lrange(QUEUE, 0, -1)
    handle.close()


def test_it_is_told_what_is_wrong(watched, queue):
    result = run_queue("--redis", watched.url.replace(NAME, "yourmaster"), "push", QUEUE, "a").must(78, "yourmaster")
    assert "no master" in result.err.lower()
    for sentinel in watched.sentinels:
        sentinel.stop()
    push(queue, ["a"]).must(69, "sentinel at", "refused")
    watched.sentinels[1].start()
    push(queue, ["a"]).must(0)
    assert json.loads(queue.run("stats", QUEUE, "--json").must(0).out)["waiting"] == 1


def test_one_sentinel_is_stopped(watched, queue):
    watched.sentinels[0].process.send_signal(signal.SIGSTOP)
    try:
        result = run_queue("--redis", watched.url, "push", QUEUE, "a", seconds=4)
    finally:
        watched.sentinels[0].process.send_signal(signal.SIGCONT)
    assert result.must(0).out == "a\tqueued\n"
