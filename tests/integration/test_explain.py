"""pgusher explain: each verdict, produced for real."""
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import ticketing
from harness.locales import LOCALES, prepare
from harness.queue import Native, enqueue


def verdict(box, *arguments, code, state, words=()):
    told = box.pgusher("explain", *arguments, "--json")
    story = json.loads(told.out)
    assert (told.code, story["state"]) == (code, state), story["verdict"]
    missing = [word for word in words if word not in story["verdict"]]
    assert not missing, f"{missing} in {story['verdict']}"
    return story


def lines(box, *arguments, code):
    """What a person reads."""
    return box.pgusher("explain", *arguments).must(code).out.splitlines()


@pytest.fixture
def resting(tickets):
    """Everything is in step, and no worker lives."""
    tickets.install()
    tickets.pgusher("backfill").must(0)
    tickets.once()
    tickets.drain()
    return tickets


def test_in_step(tickets):
    tickets.ready(tickets.projections)
    story = verdict(tickets, "event", "7", code=0, state="in_step", words=["in step"])
    document, = story["documents"]
    assert document["key"] == "event:7" and document["row"] == document["hash"] == tickets.hash("event:7")
    assert document["hash_expires_at"] == document["expires_at"] and document["version"]["epoch"] == 0
    assert document["queues"][0]["state"] == "waiting" and document["queues"][0]["behind"] >= 0
    assert story["changes"] == story["backfills"] == story["errors"] == []
    assert lines(tickets, "event", "7", code=0)[:3] == ["in step", "", "event:7, of projection event"]
    assert verdict(tickets, "event", "event:7", code=0, state="in_step")["documents"][0]["key"] == "event:7"
    assert verdict(tickets, "event", "007", code=0, state="in_step")["documents"][0]["key"] == "event:7"


def test_nothing_to_do(resting):
    verdict(resting, "event", "4711", code=0, state="absent", words=["no such row, and no hash"])
    assert lines(resting, "event", "--", "-5", code=0)[0].startswith("no such row")
    for value in ("abc", "it's", "", "99999999999999999999"):
        verdict(resting, "event", value, code=1, state="no_id", words=["no document of projection event", f'"{value}"'])
    resting.pgusher("explain", "event", "\udcff").must(64, "not UTF-8")
    resting.db.sql("UPDATE event SET starts_at = now() - interval '11 days' WHERE id = 1; DELETE FROM event WHERE id = 2")
    resting.once()
    verdict(resting, "event", "1", code=0, state="past", words=["removed: its date passed on 20"])
    story = verdict(resting, "event", "2", code=0, state="absent", words=["removed"])
    assert 500 < story["documents"][0]["tombstone"]["seconds_left"] <= 600


DRIFT = [  # a document each: what is done to it, and words of its verdict
    (("HSET", "event:1", "open", "2"), ["drift: field open is 3 in PostgreSQL, 2 in Redis", "pgusher verify event --repair"]),
    (("HDEL", "event:2", "open", "cheapest"), ["open, cheapest are not as in PostgreSQL"]),
    (("HSET", "event:3", "more", b"\xff\x00"), ["field more is not there in PostgreSQL, \\xff"]),
    (("DEL", "event:4"), ["there is a row, but no hash"]),
    (("PERSIST", "event:5"), ["the hash ends never, the document at 20"]),
    (("PEXPIREAT", "event:6", "4102444800000"), ["the hash ends at 2100-01-01 00:00:00 UTC"]),
    (("HSET", "event:8", "open", "2", "_v", "8000000000000000"), ["field open is 3 in PostgreSQL, 2 in Redis"]),
    (("SET", "event:7", "x"), ["the key is a string, not a hash"]),
    (("HSET", "event:99", "name", "x"), ["there is a hash, but no row"])]


def test_drift(resting):
    for command, _ in DRIFT:
        resting.redis.client.execute_command(*command)
    for command, words in DRIFT:
        verdict(resting, "event", command[1], code=1, state="drift", words=words)
    told = lines(resting, "event", "1", code=1)
    assert told[0].startswith("drift: field open") and "  ! open           3 in PostgreSQL, 2 in Redis" in told
    assert "    name           Event 1" in told
    verdict(resting, "event", "9", code=0, state="in_step")


@pytest.mark.parametrize("times, state", [(3, "in_step"), (4, "changing")])
def test_a_change_between_two_questions_is_no_drift(tickets, times, state):
    """Each time after the row was read and before the hash is, the document changes, and the change is applied. (It asks for the
    quarantine once when it connects, then in each look.)"""
    tickets.ready(ticketing.event_only())
    with ThreadPoolExecutor() as pool:
        session = tickets.db.connect()
        session.cursor().execute("LOCK pgusher.quarantine")
        explaining = pool.submit(tickets.pgusher, "explain", "event", "1", "--json")
        for number in range(times):
            tickets.until(lambda: tickets.db.value("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted"), 5, "it asks on")
            tickets.db.sql("UPDATE event SET name = %s WHERE id = 1", str(number))
            tickets.until_has("event:1", name=str(number))
            session.commit()
            if number < times - 1:
                session.cursor().execute("LOCK pgusher.quarantine")
        session.close()
        assert json.loads(explaining.result().out)["state"] == state


def test_what_waits_in_the_changelog(resting):
    """Directly, through a lookup, and behind others."""
    resting.db.sql("UPDATE ticket SET price = 1 WHERE id = 1")
    story = verdict(resting, "event", "1", code=1, state="stale", words=["stale since", "the next to be applied", "no worker of this fleet runs"])
    assert [(change["table"], change["keys"]) for change in story["changes"]] == [("ticket", "{1,1}")]
    verdict(resting, "event", "2", code=0, state="in_step")
    resting.db.sql("UPDATE venue SET name = name || '?' WHERE id = 3; UPDATE venue SET name = name || '!' WHERE id = 1")
    story = verdict(resting, "event", "3", code=1, state="stale")
    assert [(change["table"], change["keys"]) for change in story["changes"]] == [("venue", "{1}")]
    resting.db.sql("INSERT INTO ticket SELECT id, 4, 5 FROM generate_series(1000, 2500) id")
    resting.db.sql("UPDATE event SET name = 'last' WHERE id = 4")
    story = verdict(resting, "event", "4", code=1, state="stale")
    last = next(change for change in story["changes"] if change["table"] == "event")
    assert last["behind"] > 50 and not last["behind_is_least"] and "owner" not in last
    resting.db.sql("TRUNCATE ticket")
    assert "TRUNCATE" in [change["keys"] for change in verdict(resting, "event", "5", code=1, state="stale")["changes"]]
    resting.start()
    resting.until_asleep()
    verdict(resting, "event", "5", code=0, state="in_step")


def test_quarantine(tickets):
    tickets.db.sql("CREATE OR REPLACE VIEW event_card AS SELECT e.id, e.name, e.starts_at, v.name AS venue, v.city,"
                   " 100 / (e.id - 3)::bigint AS open, NULL::numeric AS cheapest FROM event e JOIN venue v ON v.id = e.venue_id")
    tickets.use(ticketing.event_only())
    tickets.install()
    tickets.pgusher("backfill").must(1, "quarantine")
    verdict(tickets, "event", "4", code=0, state="in_step")
    story = verdict(tickets, "event", "3", code=1, state="quarantined",
                    words=["quarantined since 20", "division by zero", "event_card"])
    assert story["documents"][0]["quarantine"]["attempts"] >= 1


def test_a_source_that_cannot_be_read(resting):
    resting.db.sql("ALTER VIEW event_card RENAME COLUMN starts_at TO begins_at")
    verdict(resting, "event", "1", code=1, state="broken", words=["nothing of projection event can be read", "starts_at"])
    verdict(resting, "ticket", "1", code=0, state="in_step")


def test_a_row_that_cannot_be_built(resting):
    resting.db.sql("CREATE FUNCTION broken() RETURNS numeric LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT 1 FROM nowhere); END'")
    resting.db.sql("CREATE OR REPLACE VIEW event_card AS SELECT id, name, starts_at, name AS venue, name AS city, id::bigint AS open,"
                   " broken() AS cheapest FROM event")
    verdict(resting, "event", "1", code=1, state="unbuildable", words=["cannot be built", "nowhere"])


def test_backfill_under_way(resting):
    resting.redis.client.delete("event:1")
    resting.db.sql("INSERT INTO pgusher.backfill (fleet, projection, reason, documents) VALUES ('default', 'event', 'by hand', 1234)")
    verdict(resting, "event", "1", code=1, state="backfilling", words=["not there yet: backfill of event", "1,234"])
    resting.db.sql("UPDATE pgusher.backfill SET documents = 6100, total = 10000, paused = true")
    verdict(resting, "event", "1", code=1, state="backfilling", words=["not there yet: backfill of event is at 61 %, and paused"])
    verdict(resting, "event", "2", code=0, state="in_step")


def test_queues(resting):
    consumer = Native(resting.redis.client)

    def state(number):
        queue, = verdict(resting, "event", str(number), code=0, state="in_step")["documents"][0]["queues"]
        return queue
    assert state(1)["state"] == "not in it"
    enqueue(resting.redis.client, "event:1", "event:2", "event:3", "event:4")
    assert (state(1)["state"], state(1)["behind"], state(3)["behind"]) == ("waiting", 0, 2)
    consumer.reserve(3)
    enqueue(resting.redis.client, "event:1")
    assert state(1)["state"] == "in flight" and state(1)["changed_meanwhile"] and state(1)["consumer"]
    consumer.nack("event:2", reason="busy")
    consumer.bury("event:3", reason="bad one")
    assert state(2)["state"] == "delayed" and state(2)["due_in_seconds"] > 0
    assert (state(3)["state"], state(3)["reason"], state(3)["failures"]) == ("dead", "bad one", 1)
    assert (state(4)["state"], state(4)["behind"]) == ("waiting", 0)
    enqueue(resting.redis.client, *(f"a:{number}" for number in range(900)), "event:5", lane="later")
    assert state(5)["state"] == "later"
    resting.pgusher("explain", "event", "3").must(0, "in step, but dead in queue {search}: bad one", "dead since")


def test_many_rows(box):
    """All documents of an id, what Redis still knows of it among them."""
    prepare(box)
    box.once()
    assert len(verdict(box, "happening", "3", code=0, state="in_step")["documents"]) == LOCALES
    assert len(verdict(box, "happening", "happening:3:l1", code=0, state="in_step")["documents"]) == LOCALES
    box.db.sql("DELETE FROM locale WHERE code = 'l7'")
    story = verdict(box, "happening", "3", code=1, state="stale")
    assert [document["key"] for document in story["documents"] if document["state"] == "stale"] == ["happening:3:l7"]
    box.once()
    box.redis.client.hset("happening:3:l2", "title", "x")
    verdict(box, "happening", "3", code=1, state="drift", words=["field title is event 3 in PostgreSQL, x in Redis"])
    told = lines(box, "happening", "3", code=1)
    assert "happening:3:l1: in step" in told and sum("  title" in line or "! title" in line for line in told) == 1
    verdict(box, "happening", "99", code=0, state="absent")
    box.use(box.projections, postgres="host=/nonexistent")
    assert len(verdict(box, "happening", "3", code=69, state="postgresql_away")["documents"]) == LOCALES - 1


def test_a_server_is_down(resting, redis_server):
    good = resting.config["postgres"]
    resting.use(resting.projections, postgres="host=/nonexistent")
    story = verdict(resting, "event", "1", code=69, state="postgresql_away", words=["in Redis there is a hash"])
    assert story["documents"][0]["hash"]["name"] == "Event 1" and len(story["errors"]) == 1
    redis_server.stop()
    assert len(verdict(resting, "event", "1", code=69, state="unknown")["errors"]) == 2
    resting.use(resting.projections, postgres=good)
    story = verdict(resting, "event", "1", code=69, state="redis_away", words=["in PostgreSQL there is a row"])
    assert story["documents"][0]["row"]["name"] == "Event 1" and len(story["errors"]) == 1


@pytest.mark.parametrize("arguments, words", [
    ([], ["which document"]), (["evnt", "1"], ["evnt", 'did you mean "event"']), (["event"], ["1 value", "id", "event:{id}"]),
    (["event", "1", "2"], ["1 value", "not 2"]), (["event", "1", "--repair"], ["--repair"])])
def test_usage(tickets, arguments, words):
    tickets.pgusher("explain", *arguments).must(64, *words)


def test_help(tickets):
    tickets.pgusher("explain", "--help").must(0, "usage: pgusher explain", "Exit codes", "Example")


def test_noted_as_broken_and_no_worker_to_look_again(tickets):
    worker = tickets.ready(ticketing.projections())
    tickets.db.sql("ALTER VIEW ticket_card RENAME id TO number; UPDATE ticket SET price = 1")
    tickets.until(lambda: tickets.db.value("SELECT count(*) FROM pgusher.projection WHERE broken_at IS NOT NULL"), 10, "it is broken")
    worker.stop()
    tickets.db.sql("ALTER VIEW ticket_card RENAME number TO id")
    tickets.pgusher("explain", "ticket", "1").must((0, 1), "nothing of projection ticket can be read")
