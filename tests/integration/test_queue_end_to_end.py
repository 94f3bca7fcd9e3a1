"""From a committed change to the search engine, with everybody's death in between: when all rests, the engine's
records equal the views, field by field."""
import random

import pytest

from harness import compare, groonga, indexer, traffic
from harness.programs import SLOWER
from harness.queue import QUEUE
from harness.waiting import until

EVENTS = 1250  # and three tickets each: 5,000 documents
CHANGES = 20_000
TRANSACTIONS = 11_000
KILLS = 24

CAPTURED = "SELECT coalesce(pg_sequence_last_value('pgusher.changelog_seq'), 0)"


@pytest.fixture
def engine(workspace):
    yield from groonga.running(workspace)


@pytest.fixture
def market(tickets, queue, monkeypatch):
    """Documents in Redis, their keys in the queue, and a worker that rests."""
    monkeypatch.setattr(traffic, "EVENTS", EVENTS)
    tickets.db.sql("CALL grow(10, %s)", EVENTS)
    tickets.db.sql("ANALYZE")
    tickets.ready(tickets.projections, queues={QUEUE: {"lease": f"{2 * SLOWER} s", "max_crashes": 1000}})
    queue.where = ["--config", tickets.path]
    return tickets


def consume(queue, engine):
    command = f"{indexer.path('groonga.py')} --server {engine.url} --full-text name,event"
    return queue.consume(command, "--docs", "--batch", "250", "--linger", "100")


def records(box):
    """What the engine must hold, of the views."""
    found = {}
    for projection in box.projections.values():
        for key, (fields, _) in compare.expected(box.db, projection).items():
            found[key.decode()] = {name.decode(): value.decode() for name, value in fields.items()}
    return found


def indexed(engine):
    """What it holds; an empty text is no field there."""
    found = engine.select("Documents")
    for record in found.values():
        assert record.pop("pgusher_version") > 0
    return {key: {name: value for name, value in record.items() if value} for key, record in found.items()}


def kill_one_by_one(shares, traffic, market, queue, engine):
    """At each share of the traffic one of two consumers dies, with its child, and another takes its place; half-way the
    worker, too."""
    consumers = [consume(queue, engine), consume(queue, engine)]
    for number, share in enumerate(shares):
        until(lambda: traffic.part(share), 120 * SLOWER)
        if number == KILLS // 2:
            market.daemons[-1].kill()
            market.start()
        consumers.pop(0).kill()
        consumers.append(consume(queue, engine))


def test_groonga_equals_the_views_after_all(market, queue, engine):
    dice = random.Random(1)
    before = market.db.value(CAPTURED)
    with traffic.Traffic(market.db, transactions=TRANSACTIONS, seed=11) as running:
        kill_one_by_one(sorted(dice.random() for _ in range(KILLS)), running, market, queue, engine)
    assert market.db.value(CAPTURED) - before >= CHANGES
    market.in_step(60)
    queue.until(queue.empty, 60, lambda: queue.leftovers())
    recovered, failed, died = queue.counters("recovered", "failed", "died")
    assert recovered > 0 and (failed, died) == (0, 0)
    assert indexed(engine) == {key: {name: value for name, value in fields.items() if value}
                               for key, fields in records(market).items()}
    sample = dice.choice([key for key in records(market) if key.startswith("event:")])
    assert sample in engine.found("Documents", "name", records(market)[sample]["name"])
