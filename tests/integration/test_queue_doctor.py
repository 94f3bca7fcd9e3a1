"""doctor finds each defect that is planted, mends what it can, and is content with a healthy queue."""
import json
import re

import pytest

from harness.queue import QUEUE, Native

PROCESSING = f"{QUEUE}-processing"


@pytest.fixture
def healthy(queue, redis_server):
    """A queue at work in a Redis as it should be."""
    queue.client.config_set("appendonly", "yes")
    queue.until(lambda: not queue.client.info("persistence")["aof_rewrite_in_progress"])
    queue.push("a", "b", "c")
    Native(queue.client).reserve()
    return queue


def checks(queue, *options):
    """The report; the exit code says whether a problem is left."""
    result = queue.run("doctor", QUEUE, "--json", *options)
    entries = json.loads(result.out)
    assert all(set(entry) == {"check", "level", "text", "mend", "fixed"} for entry in entries)
    assert all(entry["level"] in ("ok", "warning", "problem") for entry in entries)
    result.must(int(any(entry["level"] == "problem" and not entry["fixed"] for entry in entries)))
    return entries


def bad(entries):
    return {entry["check"]: entry for entry in entries if entry["level"] != "ok"}


def found(queue, word, level=None):
    """The only bad entry; the word stands in its name or text."""
    entries = bad(checks(queue))
    entry = next((e for e in entries.values() if word in (e["check"] + " " + e["text"]).lower()), None)
    assert entry and list(entries) == [entry["check"]], entries
    assert level is None or entry["level"] == level, entry
    assert not entry["fixed"]
    return entry


def mended(queue, check):
    """--fix says that it mended this, and a second look finds nothing."""
    entry = next(e for e in checks(queue, "--fix") if e["check"] == check)
    assert entry["fixed"], entry
    assert check not in bad(checks(queue)), "it is still there"


def test_a_healthy_queue(healthy):
    entries = checks(healthy)
    assert not bad(entries) and not any(entry["fixed"] or entry["mend"] for entry in entries)
    assert len(entries) >= 10
    text = healthy.run("doctor", QUEUE).must(0).out
    assert len(text.splitlines()) == len(entries)
    assert all(re.match(r"ok\s+\S", line) for line in text.splitlines())


def test_looking_writes_nothing(healthy):
    before = {key: healthy.client.dump(key) for key in healthy.client.keys()}
    healthy.run("doctor", QUEUE).must(0)
    assert {key: healthy.client.dump(key) for key in healthy.client.keys()} == before


def test_an_empty_queue(queue, redis_server):
    queue.client.config_set("save", "3600 1")
    checks(queue)
    assert not queue.client.keys()


def test_plain_text_names_the_mend(healthy):
    healthy.client.config_set("maxmemory", "1gb")
    healthy.client.config_set("maxmemory-policy", "allkeys-lru")
    text = healthy.run("doctor", QUEUE).must(1).out
    assert re.search(r"(?m)^problem\s+.*allkeys-lru.*\n +mend: .*noeviction", text), text
    text = healthy.run("doctor", QUEUE, "--fix").must(0).out
    assert re.search(r"(?m)^problem\s+.*allkeys-lru.*\n +mended", text), text


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru"])
def test_eviction(healthy, policy):
    healthy.client.config_set("maxmemory-policy", policy)
    assert "eviction" not in bad(checks(healthy)), "without maxmemory nothing is evicted"
    healthy.client.config_set("maxmemory", "1gb")
    entry = found(healthy, "eviction", "problem")
    assert "noeviction" in entry["mend"]
    mended(healthy, entry["check"])
    assert healthy.client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_persistence(queue, redis_server):
    queue.push("a")
    entry = found(queue, "persistence")
    assert "appendonly" in entry["mend"]
    mended(queue, entry["check"])
    assert queue.client.config_get("appendonly") == {"appendonly": "yes"}


def test_snapshots_are_persistence_enough(queue, redis_server):
    queue.client.config_set("save", "3600 1 300 100")
    assert "persistence" not in bad(checks(queue))


def test_config_is_forbidden(healthy):
    """A managed Redis: it cannot look, which is no failure."""
    healthy.client.config_set("maxmemory-policy", "allkeys-lru")
    healthy.client.config_set("maxmemory", "1gb")
    healthy.client.execute_command("ACL", "SETUSER", "default", "-config")
    entries = checks(healthy)
    blind = [entry for entry in entries if "cannot look" in entry["text"]]
    assert blind and all(entry["level"] == "warning" for entry in blind)
    checks(healthy, "--fix")


def test_a_replica_is_no_place_for_a_queue(healthy):
    healthy.client.execute_command("REPLICAOF", "127.0.0.1", "1")
    entries = bad(checks(healthy))
    assert any("primary" in entry["text"] or "replica" in entry["text"] for entry in entries.values())


@pytest.mark.parametrize("part, spoil", [
    ("meta", lambda client, key: client.set(key, "x")),
    ("dirty", lambda client, key: client.rpush(key, "x")),
    ("dead", lambda client, key: client.hset(key, "x", "y")),
    ("marks", lambda client, key: client.sadd(key, "x")),
])
def test_types(queue, redis_server, part, spoil):
    queue.client.config_set("save", "3600 1")
    spoil(queue.client, f"{QUEUE}:{part}")
    entries = bad(checks(queue))
    assert "problem" in {e["level"] for e in entries.values() if f"{QUEUE}:{part}" in e["text"]}, entries
    checks(queue, "--fix")
    assert queue.client.exists(f"{QUEUE}:{part}"), "it does not throw away what it does not know"


def test_type_of_the_queue_itself(queue, redis_server):
    queue.client.set(QUEUE, "x")
    assert any(QUEUE in e["text"] for e in bad(checks(queue)).values())


def test_leaked_marks(healthy):
    """A plain consumer takes items and leaves their marks."""
    healthy.push(*(f"event:{n}" for n in range(800)))
    for _ in range(700):
        healthy.client.rpoplpush(QUEUE, PROCESSING)
    healthy.client.delete(PROCESSING)
    entry = found(healthy, "mark")
    assert re.search(r"\b(698|699|700|701|702)\b", entry["text"]), entry
    mended(healthy, entry["check"])
    assert healthy.client.hlen(f"{QUEUE}:marks") == 102
    assert healthy.push("event:799") == ["coalesced"] and healthy.push("event:5") == ["queued"]


def test_orphaned_processing_list(healthy):
    """Its owner is in no registry: somebody deleted it, or a replica was promoted that had not heard of it."""
    orphan = Native(healthy.client, "gone:1:x")
    orphan.reserve(2)
    healthy.client.zrem(f"{QUEUE}:consumers", "gone:1:x")
    entry = found(healthy, "orphan")
    assert "gone:1:x" in entry["text"] or "2" in entry["text"]
    mended(healthy, entry["check"])
    assert sorted(healthy.waiting()) == ["b", "c"] and not healthy.client.exists(orphan.held)


def test_dead_consumer_that_nobody_recovered(healthy):
    Native(healthy.client, "gone:1:x", lease_ms=1).reserve(2)
    healthy.until(lambda: min(c["lease_left_ms"] for c in healthy.stats()["consumers"]) < 0)
    entry = found(healthy, "consumer")
    mended(healthy, entry["check"])
    assert sorted(healthy.waiting()) == ["b", "c"] and healthy.stats()["in_flight"] == 1


def test_a_live_consumer_is_left_alone(healthy):
    checks(healthy, "--fix")
    assert healthy.stats()["in_flight"] == 1 and len(healthy.waiting()) == 2


def test_plain_pushes_on_a_queue_that_coalesces(healthy):
    healthy.client.lpush(QUEUE, *(f"plain:{n}" for n in range(10)))
    entry = bad(checks(healthy))["coalesce"]
    assert '"coalesce": false' in entry["mend"]
    assert not bad(checks(healthy, "--fix"))["coalesce"]["fixed"], "that is for the operator to decide"


def test_plain_pushes_where_that_is_allowed(healthy):
    healthy.run("purge", QUEUE, "--all", "--yes").must(0)
    healthy.settings(coalesce=False)
    healthy.client.lpush(QUEUE, *(f"plain:{n}" for n in range(10)))
    healthy.run("push", QUEUE, "x").must(0)
    assert not bad(checks(healthy))


def test_dead_letters(healthy):
    consumer = Native(healthy.client, "burier:1:x")
    consumer.bury(*consumer.reserve(1))
    entry = found(healthy, "dead", "warning")
    assert "1" in entry["text"] and "replay" in entry["mend"]
    checks(healthy, "--fix")
    assert len(healthy.dead()) == 1, "throwing away is not mending"


def test_plain_consumer_that_died(healthy):
    healthy.settings(plain_timeout="50 ms")
    healthy.client.rpoplpush(QUEUE, PROCESSING)
    healthy.run("recover", QUEUE).must(0)  # sees it for the first time
    healthy.until(lambda: bad(checks(healthy)))
    entry = found(healthy, "plain")
    assert "1" in entry["text"]
