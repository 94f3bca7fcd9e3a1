"""pgusher backfill as the fleet does it: asked for, followed, held back, paused, cancelled, killed."""
import hashlib
import json
import os
import random
import signal
import threading
import time

import pytest

from harness import ticketing
from harness.box import projection
from harness.processes import end, spawn
from harness.programs import SLOWER, path
from harness.waiting import stays, until

def documents(box, name):
    """How many were written; None: it is over, or has not come to that."""
    rows = box.db.sql("SELECT documents FROM pgusher.backfill WHERE projection = %s AND phase = 'rows'", name)
    return rows[0][0] if rows else None


def backfills(box):
    return box.db.sql("SELECT projection, filter FROM pgusher.backfill ORDER BY 1, 2")


class Command:
    """pgusher in the background; what it says is kept in a file."""

    def __init__(self, box, *arguments):
        self.log_path = os.path.join(box.folder, f"pgusher-{time.monotonic_ns()}.log")
        with open(self.log_path, "wb") as log:
            self.process = spawn([path("pgusher"), "-c", box.path, *arguments], log)

    def kill(self):
        end(self.process, signal.SIGKILL)

    def ends(self, code, *words, seconds=20):
        assert self.process.wait(seconds * SLOWER) == code, self.text
        assert all(word in self.text for word in words), self.text

    @property
    def text(self):
        with open(self.log_path) as file:
            return file.read()


# ---- arguments


@pytest.mark.parametrize("arguments, words", [
    (["--where", "id = 1"], ["--where", "named"]),
    (["event", "--where", ""], ["--where", "empty"]),
    (["event", "--rate", "0"], ["--rate"]),
    (["event", "--rate", "many"], ["--rate"]),
    (["event", "--rate", "99999999999"], ["--rate", "too large"]),
    (["evnt", "--pause"], ["evnt", "event"]),
    (["--pause", "--cancel"], ["exclude"]),
    (["--resume", "--rate", "3"], ["--rate", "asked for already"]),
    (["--dry-run", "--wait"], ["--dry-run"]),
    (["event", "--sample", "3"], ["--sample"]),
])
def test_wrong_arguments(tickets, arguments, words):
    tickets.pgusher("backfill", *arguments).must(64, *words)


def test_a_condition_is_one(tickets):
    """Whatever is no condition by itself is refused before anything is asked for."""
    tickets.install()
    for wrong in ("nosuch = 1", "id", "id = 'x'", "1 = 1) OR (1 = 1", "true) --", "true; DROP TABLE ticket", "true /*", "SELECT true",
                  "true ORDER BY id", "true THEN 1 WHEN true", "count(*) > 1", "$1 = 1", "true LIMIT 1", "id = 1,", "'",
                  "true THEN 1 END; DROP TABLE ticket CASCADE; SELECT CASE WHEN true"):
        tickets.pgusher("backfill", "event", "--where", wrong).must(64, "--where", "event_card")
    assert backfills(tickets) == [] and not tickets.redis.client.dbsize()


def test_a_condition_that_is_too_long_to_be_kept(tickets):
    tickets.install()
    numbers = ", ".join(hashlib.md5(b"%d" % n).hexdigest().translate(str.maketrans("abcdef", "012345"))[:9] for n in range(1500))
    result = tickets.pgusher("backfill", "event", "--where", f"id IN ({numbers})").must(1, "--where is too long to be kept", "SELECT id FROM")
    assert "index row" not in result.err
    result = tickets.pgusher("backfill", "event", "--where", f"id IN ({numbers[:1990]}0)", "--wait").must(0, "event: 0 documents, done")


@pytest.mark.parametrize("by", ("a worker", "itself"))
def test_only_where(tickets, by):
    worker = tickets.ready(ticketing.projections())
    if by == "itself":
        worker.stop()
    tickets.redis.client.delete("event:1", "event:2", "event:5")
    tickets.pgusher("backfill", "event", "--where", "id < 4 AND name IS NOT NULL -- not the others", "--wait").must(0, "event: 3 documents, done")
    assert tickets.redis.client.exists("event:1", "event:2") == 2 and not tickets.redis.client.exists("event:5")
    tickets.pgusher("backfill", "event", "--wait").must(0, "event: 9 documents, done")
    assert tickets.differences() == [] and backfills(tickets) == []


def test_a_condition_that_fails_holds_nothing_up(tickets):
    worker = tickets.ready(ticketing.projections())
    tickets.pgusher("backfill", "event", "--where", "1 / (id - 5) > -9", "--wait").must(1, "division by zero", "tried again")
    tickets.pgusher("backfill", "--wait").must(0, "event: 9 documents, done", "ticket: 27 documents, done")
    assert backfills(tickets) == [("event", "1 / (id - 5) > -9")] and worker.said("trying again") == 0
    tickets.pgusher("backfill", "--cancel", "--json").must(0)
    assert backfills(tickets) == []


# ---- asking


def test_the_command_only_asks(tickets):
    tickets.ready(ticketing.projections())
    tickets.redis.client.delete("event:1", "ticket:3")
    result = json.loads(tickets.pgusher("backfill", "--json").must(0).out)
    assert (result["fleet"], result["workers"]) == ("default", 1)
    assert [(task["projection"], task["state"], task["new"]) for task in result["backfills"]] == [
        ("event", "asked for", True), ("ticket", "asked for", True)]
    tickets.until_asleep()
    assert tickets.differences() == []


def test_a_worker_needs_no_redis_of_the_operators(tickets):
    """Only the workers must reach it."""
    tickets.ready(ticketing.projections())
    tickets.redis.client.delete("event:1")
    tickets.use(ticketing.projections(), redis="redis://127.0.0.1:1")
    tickets.pgusher("backfill", "--wait").must(0)
    tickets.until_asleep()
    assert tickets.redis.client.exists("event:1")


def test_dry_run_writes_nothing(market):
    market.install()
    market.redis.stop()
    plain = market.pgusher("backfill", "--dry-run").must(0, "event: 3,000 documents in 3 chunks", "ticket: 9,000 documents in 9 chunks", "nothing")
    assert "MB" in plain.text
    found = json.loads(market.pgusher("backfill", "event", "--where", "id <= 500", "--rate", "100", "--dry-run", "--json").must(0).out)
    [task] = found["backfills"]
    assert (task["rows"], task["chunks"], task["rows_are_estimate"]) == (500, 1, False) and task["bytes"] > 500 * 50
    assert 4.9 < task["seconds"] < 5.1, "the rate decides"
    assert backfills(market) == [] and market.changes() == 0 and market.quarantined() == []
    market.redis.start()
    assert not market.redis.client.dbsize()


# ---- under way


def test_a_rate_is_kept(market):
    market.ready(ticketing.projections())
    began = time.monotonic()
    market.pgusher("backfill", "event", "--where", "id <= 1200", "--rate", "600", "--wait").must(0, "1,200 documents, done")
    took = time.monotonic() - began
    assert 1.6 < took < 2.4 * SLOWER + 0.6, f"1,200 documents at 600/s took {took:.2f} s"


def test_paused_resumed_and_cancelled(market):
    worker = market.ready(ticketing.projections())
    waiting = Command(market, "backfill", "ticket", "--rate", "300", "--wait")
    market.until(lambda: documents(market, "ticket"), 10, "it is under way")
    market.pgusher("backfill", "ticket").must(0, "under way already")

    market.pgusher("backfill", "ticket", "--pause").must(0, "ticket: paused")
    worker.says("backfill of ticket", "paused")
    stood = documents(market, "ticket")
    stays(lambda: documents(market, "ticket") == stood, 0.7)
    assert not worker.said("backfill of ticket", "taken up")
    market.until_has("event:5", name=market.db.value("SELECT name FROM event WHERE id = 5"))
    market.pgusher("backfill", "ticket", "--resume").must(0, "ticket: goes on")
    market.until(lambda: documents(market, "ticket") > stood, 5, "it goes on")

    gone = Command(market, "backfill", "ticket", "--wait")
    until(lambda: "ticket" in gone.text or documents(market, "ticket") > stood + 300, 10, "the other one waits, too")
    gone.process.send_signal(signal.SIGINT)
    gone.ends(1, "the backfill goes on")
    assert documents(market, "ticket") > stood

    market.pgusher("backfill", "--cancel").must(0, "ticket: cancelled")
    waiting.ends(1, "was cancelled")
    market.until_asleep()
    market.pgusher("backfill", "--cancel").must(1, "no backfill")
    worker.stop()
    worker = market.start()
    market.until_asleep()
    assert not worker.said("backfill of"), "nothing is left to do, nor taken for forgotten"


def test_asked_for_again_after_the_shape_has_changed(market):
    """What was written before is of the former shape, so it begins anew; otherwise it would go on."""
    market.ready(ticketing.projections())
    market.pgusher("backfill", "event", "--rate", "500").must(0, "event: asked for")
    market.until(lambda: documents(market, "event"), 10, "it is under way")
    market.pgusher("backfill", "event").must(0, "under way already")
    market.db.sql("UPDATE pgusher.projection SET stale = 'columns added: city; run: pgusher backfill event', stale_at = now()"
                  " WHERE name = 'event'")
    market.pgusher("backfill", "event", "--rate", "50000", "--wait").must(0, "event: 3,000 documents, done")
    assert market.db.value("SELECT stale FROM pgusher.projection WHERE name = 'event'") is None


def test_what_is_needed_cannot_be_cancelled(tickets):
    tickets.ready(ticketing.projections()).stop()
    tickets.db.sql("INSERT INTO pgusher.backfill (fleet, projection, reason, repair) VALUES ('default', 'event', 'Redis is new', true)")
    tickets.pgusher("backfill", "--cancel").must(1, "event", "Redis is new", "paused, not cancelled")
    tickets.pgusher("backfill", "event", "--pause").must(0)
    worker = tickets.start()
    worker.says("caught up")
    stays(lambda: backfills(tickets) == [("event", "")], 0.5)
    tickets.pgusher("backfill", "--resume").must(0)
    tickets.until_asleep()


def test_two_projections_by_two_workers_at_once(box):
    for name in ("a", "b"):
        box.db.sql(f"CREATE TABLE {name} (id int PRIMARY KEY); INSERT INTO {name} SELECT generate_series(1, 200);"
                   f"CREATE VIEW {name}_slow AS SELECT id, pg_sleep(0.002)::text AS _slow FROM {name}")
    box.ready({name: projection(f"{name}_slow", {name: "id"}, key=name + ":{id}") for name in ("a", "b")})
    box.start()
    box.until(lambda: box.daemons[1].said("8 of 16 partitions"), 10, "they share")
    box.until_asleep()
    box.pgusher("backfill").must(0, "2")
    locks = "SELECT count(DISTINCT pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1885828471 AND granted"
    box.until(lambda: box.db.value(locks) == 2, 10, "two do it", every=0.001)
    box.until_asleep(20)
    assert [daemon.said("backfill of", "begins") for daemon in box.daemons] == [1, 1]


def test_what_is_needed_gets_its_share_however_long_live_changes_take(box):
    """A page of changes takes half a second here, a step of the backfill a tenth of that: one step a page would be a tenth of the time."""
    box.db.sql("""CREATE TABLE a (id int PRIMARY KEY, n int); INSERT INTO a SELECT generate_series(1, 300), 0;
                  CREATE VIEW a_slow AS SELECT id, n, pg_sleep(0.005)::text AS _slow FROM a""")
    box.ready({"a": projection("a_slow", {"a": "id"}, key="a:{id}")})
    box.until_asleep(20)
    box.db.sql("""UPDATE a SET n = 1 WHERE id > 200;
                  INSERT INTO pgusher.backfill (fleet, projection, reason, repair) VALUES ('default', 'a', 'Redis is new', true);
                  SELECT pg_notify('pgusher', 'tasks ' || number) FROM pgusher.fleet""")
    pages = 1
    while backfills(box):
        box.until_has("a:300", n=str(pages))
        pages += 1
        box.db.sql("UPDATE a SET n = %s WHERE id > 200", pages)
    assert pages < 22


@pytest.mark.parametrize("workers", (0, 1))
def test_killed_and_killed_again(market, workers):
    """Five times, the command or the worker that does it; what it did is not done again but for the last few."""
    chance = random.Random(workers)
    market.install()
    reached = None
    for _ in range(5):
        victim = market.start() if workers else Command(market, "backfill", "--rate", "4000")
        market.until(lambda: documents(market, "ticket") != reached or backfills(market) == [], 20, "it goes on", every=0.001)
        now = documents(market, "ticket")
        assert now is None or now > (reached or -1), "not from the beginning"
        stays(lambda: True, chance.random() * 0.1)
        victim.kill()
        reached = documents(market, "ticket")
    market.pgusher("backfill").must(0)
    assert market.differences() == [] and backfills(market) == []
    worker = market.start()
    market.until_asleep()
    assert not worker.said("backfill of")


def test_flushed_while_it_is_followed(market):
    """The fleet begins anew, and who waits sees that."""
    market.ready(ticketing.projections())
    done = []
    runner = threading.Thread(target=lambda: done.append(market.pgusher("backfill", "ticket", "--rate", "2000", "--wait")))
    runner.start()
    market.until(lambda: documents(market, "ticket"), 10, "it is under way", every=0.005)
    market.redis.client.flushall()
    runner.join()
    done[0].must(0, "replaced by another backfill", "Redis lost its contents", "ticket: 9,000 documents, done")
    market.until_asleep()
    market.in_step()


def test_status_tells_how_long_it_takes_and_why_it_fails(tickets):
    tickets.ready(ticketing.projections())
    tickets.pgusher("backfill", "ticket", "--rate", "3").must(0)
    tickets.until(lambda: " left, phase rows, at most 3/s" in tickets.pgusher("status").text, 20, "it tells how long")
    tickets.pgusher("backfill", "event", "--where", "1 / (id - id) = 1").must((0, 1))
    tickets.until(lambda: "failed, and is tried again: " in tickets.pgusher("status").text, 20, lambda: tickets.pgusher("status").text)
    tickets.pgusher("backfill", "event", "--cancel").must(0)
    tickets.until(lambda: not backfills(tickets), 60, lambda: tickets.pgusher("status").text)
    tickets.in_step()


def test_the_last_worker_goes_while_it_is_followed(tickets):
    worker = tickets.ready(ticketing.projections())
    following = Command(tickets, "backfill", "ticket", "--rate", "1", "--wait")
    tickets.until(lambda: backfills(tickets), 10, "it was asked for")
    worker.stop()
    tickets.until(lambda: "no worker" in following.text, 20 * SLOWER, lambda: following.text)
    following.kill()


def test_a_view_that_is_lost_while_no_worker_lives(tickets):
    """The command does the work itself, and says why it cannot go on."""
    tickets.ready(ticketing.projections()).stop()
    alone = Command(tickets, "backfill", "ticket", "--rate", "3", "--wait")
    tickets.until(lambda: backfills(tickets), 10, "it was asked for")
    tickets.db.sql("ALTER VIEW ticket_card RENAME id TO number")
    tickets.until(lambda: "fails" in alone.text, 30, lambda: alone.text)
    alone.kill()
