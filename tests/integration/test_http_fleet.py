"""/metrics and /status.json: what a worker tells of its fleet over HTTP."""
import json
import time

import pytest

from harness import ticketing
from harness.http import Http
from harness.queue import Native
from harness.waiting import until

LOOKER = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pgusherd http'"


@pytest.fixture
def served(tickets):
    """A worker that rests, and its server."""
    return Http(tickets.ready(ticketing.projections(), http=":0"))


def fresh(served, name, *labels):
    """A figure of the fleet; looks are five seconds apart."""
    return served.metrics().get((name, ",".join(labels)))


def test_connections_of_its_own_when_first_asked(tickets, served):
    served.text("/readyz"), served.text("/livez")
    assert tickets.db.value(LOOKER) == 0
    assert fresh(served, "pgusher_fleet_workers", 'fleet="default"') == 1
    assert tickets.db.value(LOOKER) == 1


def test_what_the_fleet_tells(tickets):
    tickets.use(ticketing.projections(), http=":0", canary="1 s")
    tickets.install()
    served = Http(tickets.start())
    tickets.until_asleep()
    consumer = Native(tickets.redis.client, queue="{search}")
    dead, _ = consumer.reserve(2)
    consumer.bury(dead, reason="<b>bad</b>")
    tickets.redis.client.zadd("{search}:dead", {"eternal": "inf"})
    tickets.redis.client.set("event:1", "a string")
    tickets.db.sql("UPDATE event SET name = 'y' WHERE id = 1")
    tickets.until(lambda: tickets.quarantined(), 5, "one is refused")
    tickets.until(lambda: tickets.db.value("SELECT count(*) FROM pgusher.canary WHERE latency_ms IS NOT NULL"), 5, "a canary")
    found, fleet = served.metrics(), 'fleet="default"'
    assert found["pgusher_fleet_lag_changes", fleet] == 0 and found["pgusher_fleet_lag_seconds", fleet] == 0
    assert found["pgusher_fleet_partitions_owned", fleet] == 16 and found["pgusher_fleet_partitions_orphaned", fleet] == 0
    assert 0 <= found["pgusher_canary_latency_seconds", fleet] < 2
    assert found["pgusher_quarantined_documents", f'{fleet},projection="event"'] == 1
    queue = 'queue="{search}"'
    items = {state: found["pgusher_queue_items", f'{queue},state="{state}"'] for state in ("waiting", "later", "in_flight", "delayed", "dead")}
    assert sum(items.values()) >= 36 and items["dead"] == 2 and items["in_flight"] == 1
    assert found["pgusher_changelog_bytes", ""] > 0 and found["pgusher_reasons", ""] >= 2
    assert found["pgusher_look_answered", 'server="postgres"'] == 1 and found["pgusher_look_answered", 'server="redis"'] == 1
    assert not [name for name, _ in found if name == "pgusher_drift_documents" and found[name, _]], "nothing was verified"
    tree = served.json("/status.json")
    assert tree["quarantine"][0]["key"] == "event:1" and "WRONGTYPE" in tree["quarantine"][0]["error"]
    eternal, buried = tree["queues"][0]["dead_letters"]
    assert eternal == {"item": "eternal", "died_ms": None, "reason": ""}
    assert buried.items() >= {"item": dead, "reason": "<b>bad</b>"}.items()


def names(tree):
    """The members of an object, and of what is in it."""
    if isinstance(tree, dict):
        return {name: names(value) for name, value in tree.items() if name not in ("canary", "worker_list", "last_error")}
    return [names(value) for value in tree[:1]] if isinstance(tree, list) else None


def test_status_as_the_tool_shows_it(tickets, served):
    shown = json.loads(tickets.pgusher("status", "--json").must(0).out)
    tree = served.json("/status.json")
    assert names(tree).items() >= names(shown).items()
    assert set(tree) - set(shown) == {"worker", "history", "quarantine", "looked_seconds_ago"}
    worker = tree["worker"]
    assert worker["pid"] == served.daemon.process.pid and worker["ready"] and worker["says"] == "ready: asleep"
    assert worker["partitions"] == list(range(16)) and worker["acts"] is False
    assert set(worker["stages"]) == {"delay", "batch", "read", "select", "put", "enqueue", "save"}
    assert set(tree["history"]) == {"step_seconds", "delay_seconds", "changes_per_s", "documents_per_s", "lag_seconds", "lag_changes", "queued"}


def test_what_does_not_answer_is_absent(tickets, served):
    """PostgreSQL does not answer the look: Redis is told of, and nobody waits for long."""
    lock = tickets.db.connect()
    lock.cursor().execute("LOCK TABLE pgusher.backfill")
    began = time.monotonic()
    found = served.metrics()
    assert time.monotonic() - began < 4
    assert found["pgusher_look_answered", 'server="postgres"'] == 0 and found["pgusher_look_answered", 'server="redis"'] == 1
    assert ("pgusher_fleet_workers", 'fleet="default"') not in found
    assert ("pgusher_queue_items", 'queue="{search}",state="dead"') in found
    began = time.monotonic()
    assert "PostgreSQL has not answered yet" in served.json("/status.json")["errors"] and time.monotonic() - began < 1
    lock.rollback()
    until(lambda: fresh(served, "pgusher_fleet_workers", 'fleet="default"') == 1)
    lock.close()


def test_answers_while_a_session_begins(tickets):
    """Its first statements wait for a lock."""
    tickets.install()
    lock = tickets.db.connect()
    lock.cursor().execute("LOCK TABLE pgusher.projection")
    tickets.use(ticketing.projections(), http=":0")
    served = Http(tickets.start())
    served.daemon.says("connected to PostgreSQL and Redis")
    assert served.text("/readyz") and served.metrics()["pgusher_partitions_owned", ""] == 0
    assert "changes" not in served.json("/status.json")["worker"]
    lock.rollback()
    tickets.until_asleep()
    assert served.json("/status.json")["worker"]["changes"] == 0
    lock.close()


def test_servers_that_are_away(tickets, served):
    tickets.redis.stop()
    served.until_not_ready("not connected")
    tree = served.json("/status.json")
    assert any("Redis" in error for error in tree["errors"]) and "redis" not in tree and tree["fleets"]
    assert not tree["worker"]["ready"] and "not connected" in tree["worker"]["says"]
    tickets.redis.start()
    served.until_ready()
    until(lambda: served.json("/status.json").get("redis"))


def test_history_and_a_reload(tickets, served):
    """A step of the history is ten seconds; a new configuration drops the look, and who is waiting is told."""
    tickets.db.sql("UPDATE event SET name = 'x'")
    until(lambda: sum(served.json("/status.json")["history"]["changes_per_s"]) > 0, 15)
    history = served.json("/status.json")["history"]
    assert served.metrics()["pgusher_stalled_seconds", ""] < 2, "there is nothing to do"
    assert history["queued"][-1] >= 36 and history["lag_seconds"][-1] == 0 and history["delay_seconds"][-1] >= 0
    tickets.use(ticketing.event_only(), http=":0")
    served.daemon.reload()
    served.daemon.says("configuration is adopted")
    assert [projection["source"] for projection in served.json("/status.json")["fleets"][0]["projections"] if "source" in projection] == ["event_card"]
