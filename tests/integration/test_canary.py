"""The canary: a change of nothing that travels the whole way, and what a worker says of itself."""
import json

import pytest

from harness import ticketing
from harness.fleet import box_beside
from harness.waiting import stays, until

KEY = "pgusher:canary:default"


def canary(box, fleet="default"):
    names = "part, latency_ms, waiting_since IS NULL, arrived_at IS NOT NULL, sent_at"
    rows = box.db.sql(f"SELECT {names} FROM pgusher.canary WHERE fleet = %s", fleet)
    return dict(zip(("part", "latency", "waits_for_none", "arrived", "sent_at"), rows[0])) if rows else None


def worker_rows(box):
    return box.db.sql("SELECT host, pid, state FROM pgusher.worker ORDER BY pid")


def has_arrived(box):
    return (canary(box) or {}).get("arrived")


def test_it_arrives_in_redis_and_takes_the_next_way(tickets):
    worker = tickets.ready(ticketing.projections(), canary="1 s")
    tickets.until(lambda: has_arrived(tickets), 5, "the canary arrives")
    first = canary(tickets)
    assert 0 < first["latency"] < 5000
    assert tickets.redis.client.hget(KEY, "part") == str(first["part"]).encode()
    tickets.until(lambda: canary(tickets)["part"] == (first["part"] + 1) % 16 and canary(tickets)["waits_for_none"], 5, "the next one")
    assert tickets.queued() == [] and tickets.differences() == []
    assert "canary" not in worker.log


def test_off_leaves_nothing(tickets):
    tickets.ready(ticketing.projections())
    assert canary(tickets) is None and not tickets.redis.client.exists(KEY) and tickets.changes() == 0
