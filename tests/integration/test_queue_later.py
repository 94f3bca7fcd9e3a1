"""The lane for later: what a backfill queues never delays what changes, and is handled in the end by consumers of either
kind."""
import pytest

from harness import ticketing
from harness.queue import QUEUE, Native, enqueue

BACKLOG = 20_000
FEW, MANY = 10, 100  # lua/parts/later_limits.lua


class Plain:
    """A consumer that knows only BLMOVE and LREM."""

    def __init__(self, redis):
        self.client = redis.connect()

    def take(self, seconds=5):
        item = self.client.blmove(QUEUE, f"{QUEUE}-processing", seconds, "RIGHT", "LEFT")
        if item:
            self.client.lrem(f"{QUEUE}-processing", -1, item)
        return item and item.decode()

    def take_until(self, wanted, most):
        taken = []
        while wanted not in taken and len(taken) < most:
            taken.append(self.take())
            assert taken[-1], f"nothing comes after {len(taken) - 1} items"
        return taken


def fill(queue, count=BACKLOG):
    items = "\n".join(f"old:{number}" for number in range(count))
    queue.run("push", QUEUE, "-", "--later", input=items.encode()).must(0)


def left(client):
    return client.llen(QUEUE) + client.zcard(f"{QUEUE}:later")


def test_a_live_change_is_the_next_of_a_native_consumer(queue):
    consumer = Native(queue.client)
    consumer.reserve()
    fill(queue)
    assert queue.client.llen(QUEUE) <= FEW and queue.stats()["later"] >= BACKLOG - FEW
    for number in range(5):
        enqueue(queue.client, f"event:{number}")
        given = []
        while f"event:{number}" not in given:
            given += consumer.reserve()
            assert len(given) <= FEW + 1, given
        consumer.ack(*given)
    assert enqueue(queue.client, "old:19999") == ["coalesced"], "what waits for later and changes comes at once"
    assert "old:19999" in consumer.reserve(FEW + 1)
    assert not consumer.reserve(0) and left(queue.client) > BACKLOG - 200


def test_native_consumers_drain_it(queue):
    fill(queue)
    consumers = [queue.consume("cat >/dev/null", "--batch", "1000", "--parallel", "2") for _ in range(2)]
    queue.until(queue.empty, 30, queue.leftovers)
    queue.settled(acked=BACKLOG)
    fill(queue, 500)  # wakes those that wait
    queue.until_counted(acked=BACKLOG + 500)
    assert all(consumer.alive() for consumer in consumers)


def test_it_is_shown(queue):
    fill(queue, 300)
    enqueue(queue.client, "event:1")
    stats = queue.stats()
    assert (stats["waiting"], stats["later"], stats["counters"]["queued"]) == (MANY + 1, 300 - MANY, 301)
    assert 0 <= stats["oldest_later_ms"] < 60_000
    shown = queue.data("peek", QUEUE, "--later", "-n", "300")
    assert len(shown) == 300 - MANY and all(entry["since_ms"] > 0 for entry in shown)
    assert "--later" in queue.run("peek", QUEUE, "--later", "--delayed").must(64).err
    assert queue.data("push", QUEUE, shown[0]["item"], "--later")[0]["outcome"] == "coalesced"
    queue.run("rm", QUEUE, shown[0]["item"]).must(0)
    assert queue.stats()["later"] == 300 - MANY - 1


@pytest.fixture
def market(tickets, queue):
    """A worker, and a queue in whose lane most documents of a backfill wait."""
    tickets.db.sql("CALL grow(10, 600)")
    tickets.db.sql("ANALYZE")
    tickets.ready(tickets.projections)
    queue.where = ["--config", tickets.path]
    return tickets


def test_plain_consumers_get_a_live_change_soon_and_all_in_the_end(market, queue):
    total = left(queue.client)
    assert total == len(ticketing.document_keys(queue.client)) > 1000 and queue.client.llen(QUEUE) == MANY
    plain = Plain(queue.redis)
    market.db.sql("UPDATE event SET name = 'Now' WHERE id = 600")
    market.until_caught_up()
    taken = plain.take_until("event:600", MANY + 1)
    market.daemons[-1].kill()
    market.start()
    while len(taken) < total:
        taken.append(plain.take())
        assert taken[-1], f"nothing comes after {len(taken) - 1} of {total} items"
    assert sorted(set(taken)) == sorted(key.decode() for key in ticketing.document_keys(queue.client))


def test_a_change_that_a_backfill_has_written_first_comes_at_once(market, queue):
    """The live change finds its document as it is to be, and its item in the lane."""
    for _ in range(2):  # before its first rest after a takeover the worker queues whatever it sees
        market.db.sql("UPDATE ticket SET price = price + 1 WHERE id = 1")
        market.until_caught_up()
        market.until_asleep()
    assert queue.client.zscore(f"{QUEUE}:later", "ticket:1500")
    market.db.sql("UPDATE ticket SET price = price + 1 WHERE id = 1500; UPDATE ticket SET price = price - 1 WHERE id = 1500")
    market.until_caught_up()
    assert not queue.client.zscore(f"{QUEUE}:later", "ticket:1500")
    assert queue.client.lpos(QUEUE, "ticket:1500") is not None


@pytest.mark.parametrize("lane", ["", "later", "sooner"])
def test_a_call_of_nothing_and_of_one_item_twice(queue, lane):
    old = [f"old:{number}" for number in range(MANY)]
    enqueue(queue.client, *old, lane="later")
    enqueue(queue.client, "x", "y", lane="later")
    assert enqueue(queue.client, lane=lane) == []
    assert enqueue(queue.client, "x", "x", "z", "z", lane=lane) == {
        "": ["coalesced", "coalesced", "queued", "coalesced"], "later": ["coalesced", "coalesced", "queued", "coalesced"],
        "sooner": ["coalesced", "absent", "absent", "absent"]}[lane]
    given = Native(queue.client).reserve(MANY + 10)
    assert sorted(given) == sorted([*old, "x", "y", *("z" for _ in range(lane != "sooner"))])
