"""Programs that know only Redis' own list commands, beside ours; what each pairing guarantees stands with its tests.

A plain consumer: RPOPLPUSH Q Q-processing, work, LREM Q-processing -1 item. A plain producer: LPUSH Q item.
"""
import random
import threading

import pytest
import redis

from harness.queue import QUEUE, Native, enqueue

PROCESSING = f"{QUEUE}-processing"
SHORT = "100 ms"


class Plain:
    """A consumer as it has existed for ten years."""

    def __init__(self, client):
        self.client = client

    def take(self):
        item = self.client.rpoplpush(QUEUE, PROCESSING)
        return item and item.decode()

    def done(self, item):
        return self.client.lrem(PROCESSING, -1, item)


@pytest.fixture
def plain(queue):
    return Plain(queue.client)


def recovered(queue):
    """Recovers until something came back; the first look only notes what it sees."""
    return queue.until(lambda: queue.data("recover", QUEUE)["recovered"], what="a plain consumer's item comes back")


# Plain consumers, our producers

def test_coalescing_is_exact_behind_a_plain_consumers_back(queue, plain):
    """Ours produce, plain consume. Guaranteed: an item that waits is not queued again, and one that does not, is: checked
    against the list itself after every step of a random history."""
    dice = random.Random(3)
    items = [f"event:{number}" for number in range(12)]
    held = []
    for _ in range(3000):
        step = dice.random()
        waiting = queue.waiting()
        assert len(set(waiting)) == len(waiting)
        if step < 0.5:
            item = dice.choice(items)
            assert queue.push(item) == ["coalesced" if item in waiting else "queued"]
        elif step < 0.8:
            item = plain.take()
            assert item == (waiting[0] if waiting else None), "first in, first out"
            held += [item] if item else []
        elif held:
            plain.done(held.pop(dice.randrange(len(held))))


def test_a_change_while_a_plain_consumer_works(queue, plain):
    """Ours produce, plain consume. Guaranteed: the change is queued, hence not lost. Not guaranteed: that two plain
    consumers never work on one document at the same time, because nobody knows what a plain one holds."""
    queue.push("a")
    assert plain.take() == "a"
    assert queue.push("a", "a") == ["queued", "coalesced"]
    assert plain.take() == "a", "a second one has it, too"
    assert plain.done("a") and plain.done("a")
    assert queue.push("b") == ["queued"] and plain.take() == "b" and plain.done("b")
    queue.once("true")
    assert queue.empty()


def test_a_plain_consumer_dies(queue, plain):
    """Ours produce, plain consume. Guaranteed: at least once; what it left in Q-processing waits again after
    plain_timeout, if anybody of ours looks (recover, or any native consumer in passing). No crash is counted."""
    queue.settings(plain_timeout=SHORT)
    queue.push("a", "b", "c")
    plain.take(), plain.take()
    plain.done("a")
    assert recovered(queue) == 1
    assert queue.waiting() == ["c", "b"] and queue.stats()["plain"] == 0
    assert queue.data("stats", QUEUE)["counters"]["recovered"] == 1
    assert not queue.client.exists(f"{QUEUE}:failures", f"{QUEUE}:seen")
    queue.once(queue.handler())
    assert queue.runs() == [["c", "b"]] and queue.empty()


def test_the_timeout_of_plain_consumers_is_kept(queue, plain):
    """Ours produce, plain consume. Guaranteed: nothing is taken from a plain consumer before plain_timeout."""
    queue.push("a")
    plain.take()
    for _ in range(5):
        assert queue.data("recover", QUEUE) == {"recovered": 0}, "an hour, unless it is set"
    queue.settings(plain_timeout="10 s")
    for _ in range(5):
        assert queue.data("recover", QUEUE) == {"recovered": 0}
    assert plain.done("a") == 1


def test_many_deaths_of_plain_consumers(queue, plain):
    """Ours produce, plain consume. Not guaranteed: dead letters. A plain consumer's item comes back for ever."""
    queue.settings(plain_timeout="1 ms", max_crashes=2)
    queue.push("a")
    for _ in range(4):
        assert plain.take() == "a"
        recovered(queue)
    assert queue.waiting() == ["a"] and queue.dead() == {}


def test_recovery_in_passing(queue, plain):
    """Ours produce, plain and native consume. Guaranteed: a native consumer at rest recovers what plain ones left. It looks
    every five seconds, and twice: once to note it, once when the time is up."""
    queue.settings(plain_timeout=SHORT)
    queue.push("a")
    plain.take()
    consumer = queue.consume(queue.handler(), "--lease", "1 s")

    def handled():
        queue.client.hdel(f"{QUEUE}:meta", "next_maintenance")  # the five seconds are over
        return queue.runs()
    queue.until(handled, 5)
    assert queue.runs() == [["a"]]
    queue.until_counted(acked=1, recovered=1)
    consumer.stop()
    assert queue.empty()


def test_plain_consumers_and_a_long_backlog(queue, plain):
    """Ours produce, plain consume. Marks they leave behind take no more room than the queue once had, and none is
    left when it is empty."""
    queue.push(*(f"event:{number}" for number in range(1000)))
    for _ in range(1000):
        plain.done(plain.take())
    assert queue.push("x") == ["queued"]
    assert queue.client.hlen(f"{QUEUE}:marks") == 1


def test_plain_consumers_and_a_full_redis(queue, plain, redis_server):
    """Ours produce, plain consume. Not guaranteed: that they can drain a Redis above maxmemory, for it refuses RPOPLPUSH.
    A native consumer can, and so makes room for them."""
    queue.push("a", "b")
    queue.client.config_set("maxmemory", 1)
    with pytest.raises(redis.ResponseError, match="OOM|maxmemory"):
        plain.take()
    queue.once(queue.handler())
    assert queue.runs() == [["a", "b"]]


# Plain producers ("coalesce": false), native consumers

@pytest.fixture
def pushed(queue):
    """LPUSH as a plain producer does it, one command each."""
    queue.settings(coalesce=False)
    return lambda *items: [queue.client.lpush(QUEUE, item) for item in items]


def test_a_plain_producer_and_native_consumers(queue, pushed):
    """Plain produce, native consume. Not guaranteed: coalescing; each push is an entry. Guaranteed: copies in one batch are
    one item, handled once more after its ack, and order is that of the pushes."""
    pushed("a", "b", "a", "c", "a")
    queue.once(queue.handler())
    assert queue.runs() == [["a", "b", "c"], ["a"]]
    queue.settled(acked=4, requeued=1)
    assert queue.empty()


def test_never_two_at_once_with_plain_producers(queue, pushed):
    """Plain produce, native consume. Guaranteed: no document is worked on twice at the same time, and the last push of each is
    followed by a run that began after it."""
    queue.file("overlaps", "")
    lock = f'for item; do mkdir {queue.folder}/lock-$item || echo $item >>{queue.file("overlaps")}; done; ' \
           f'sleep 0.01; for item; do rmdir {queue.folder}/lock-$item; done; '
    consumers = [queue.consume(queue.handler(lock), "--parallel", "2", "--batch", "3") for _ in range(2)]
    dice = random.Random(5)
    for _ in range(400):
        pushed(f"doc-{dice.randrange(8)}")
    before = {}
    for number in range(8):
        before[f"doc-{number}"] = len(queue.runs())
        pushed(f"doc-{number}")
    queue.until(queue.empty, 20)
    for consumer in consumers:
        consumer.stop()
    assert queue.read("overlaps") == ""
    assert all(any(item in run for run in queue.runs()[began:]) for item, began in before.items())
    assert queue.stats()["counters"]["failed"] == 0


def test_a_plain_push_while_it_is_in_flight(queue, pushed):
    """Plain produce, native consume. Guaranteed: it goes round once more, after the ack, not beside it."""
    gate = queue.file("gate")
    first = queue.consume(queue.handler(f"until [ -e {gate} ]; do sleep 0.02; done"))
    pushed("a")
    queue.until(lambda: queue.runs())
    second = queue.consume(queue.handler(name="second.sh"))
    pushed("a", "a", "b")
    queue.until_counted(acked=1)
    assert queue.runs() == [["a"], ["b"]]
    queue.file("gate", "")
    queue.until_counted(acked=3)
    assert queue.runs() == [["a"], ["b"], ["a"]]
    first.stop(), second.stop()


def test_plain_push_of_a_delayed_item_and_of_a_dead_letter(queue, pushed):
    """Plain produce, native consume. Guaranteed: retries, dead letters; and an item pushed again is in one place."""
    pushed("late", "dead")
    consumer = Native(queue.client)
    consumer.reserve(2)
    consumer.nack("late"), consumer.bury("dead")
    pushed("late", "dead")
    queue.once(queue.handler())
    assert queue.runs() == [["late", "dead"]]
    assert queue.empty()


def test_a_native_consumer_dies_beside_plain_producers(queue, pushed):
    """Plain produce, native consume. Guaranteed: at least once, within a lease."""
    pushed("a", "a", "b")
    victim = queue.consume(queue.handler("sleep 60"), "--lease", "1 s")
    queue.until(lambda: queue.runs())
    victim.kill()
    survivor = queue.consume(queue.handler(name="second.sh"), "--lease", "1 s")
    queue.until(queue.empty, 5)
    assert sorted(sum(queue.runs()[1:], [])) in (["a", "b"], ["a", "a", "b"])
    survivor.stop()


# Plain producers, plain consumers

def test_only_plain_programs(queue, plain, pushed):
    """Plain produce, plain consume. Guaranteed: nothing of ours gets in their way, and `recover` (from cron, say)
    gives back what a dead consumer held: at least once. Not guaranteed: coalescing, one at a time, dead letters."""
    queue.settings(coalesce=False, plain_timeout=SHORT)
    pushed("a", "a", "b")
    assert [plain.take() for _ in range(4)] == ["a", "a", "b", None]
    plain.done("a")
    stats = queue.stats()
    assert stats["plain"] == 2 and stats["waiting"] == 0
    assert recovered(queue) == 2
    assert sorted(queue.waiting()) == ["a", "b"] and queue.stats()["plain"] == 0


# Native and plain consumers on one queue

def test_a_plain_consumer_gets_nothing_that_a_native_one_holds(queue, plain):
    """Ours produce, both consume. Guaranteed: while a native consumer has an item, no plain one gets it."""
    consumer = Native(queue.client)
    queue.push("a")
    consumer.reserve()
    assert queue.push("a") == ["dirty"] and plain.take() is None
    consumer.ack("a")
    assert plain.take() == "a", "after the ack"


def test_both_may_have_an_item_if_the_plain_one_was_first(queue, plain):
    """Ours produce, both consume. Not guaranteed: one at a time, if a plain consumer took it first. Guaranteed: nothing
    is lost, whoever of the two ends first or dies."""
    queue.settings(plain_timeout=SHORT)
    consumer = Native(queue.client)
    queue.push("a")
    assert plain.take() == "a"
    assert queue.push("a") == ["queued"] and consumer.reserve() == ["a"]
    assert recovered(queue) == 1, "the plain one died"
    assert queue.waiting() == [] and queue.stats()["dirty"] == 1, "not beside the native one"
    assert consumer.ack("a") == [1, 1, 0] and queue.waiting() == ["a"]


def test_traffic_with_consumers_of_both_kinds(queue, plain):
    """Ours produce, both consume. Guaranteed: each document's last change is followed by somebody's look at it."""
    client = queue.redis.connect()
    newest, index, stop = {}, queue.file("index"), threading.Event()

    def consume_plainly():
        mine = Plain(queue.redis.connect())
        while not stop.is_set():
            item = mine.take()
            if item:
                with open(index, "a") as file:
                    file.write(f"{item} {mine.client.get(item).decode()}\n")
                mine.done(item)
            else:
                stop.wait(0.002)
    look = f'for item; do echo "$item $(redis-cli -s {queue.redis.socket} get $item)" >>{index}; done'
    consumer = queue.consume(queue.handler(look), "--batch", "5", "--parallel", "2", "--lease", "1 s")
    threads = [threading.Thread(target=consume_plainly, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    dice = random.Random(11)
    for number in range(1500):
        item = f"doc:{dice.randrange(40)}"
        newest[item] = number
        client.set(item, number)
        enqueue(client, item)
    queue.until(lambda: queue.empty(), 20)
    stop.set()
    for thread in threads:
        thread.join()
    consumer.stop()
    seen = {}
    for line in queue.read("index").splitlines():
        item, number = line.split()
        seen[item] = max(seen.get(item, -1), int(number))
    assert seen == newest
    assert len(queue.runs()) > 5, "the native ones had their share"
