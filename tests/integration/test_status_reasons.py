"""pgusher status: what needs a person, with the command that mends it, and what does not."""
import json
import re
import threading

import psycopg2
import pytest

from harness import ticketing
from harness.queue import Native

PRESENCE = "SELECT pg_advisory_lock_shared(1885828469, 0)"
PRESENT = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1885828469"


def reasons(box):
    result = box.pgusher("status", "--json").must((0, 1))
    found = json.loads(result.out)["reasons"]
    assert result.code == (1 if found else 0)
    return [f"{reason['what']}; {reason['mend']}" for reason in found]


def one_reason(box, *words):
    (reason,) = reasons(box)
    assert all(word in reason for word in words), reason
    what, mend = re.split(";|,| since ", reason)[0], reason.split("; ")[-1]  # without ages
    box.pgusher("status").must(1, f"needs a person: {what}", f"; {mend}")


def test_what_needs_a_person(tickets):
    """One after the other: what is wrong is told alone, and no more when it is mended."""
    tickets.ready(ticketing.projections(), canary="1 h")
    tickets.until(lambda: tickets.db.value("SELECT arrived_at FROM pgusher.canary"), 5, "the canary")
    assert reasons(tickets) == []
    tickets.pgusher("status").must(0, "fleet default: in step", "canary", "ms")
    tickets.db.sql("""INSERT INTO pgusher.projection (fleet, name, broken_at, error)
                      VALUES ('default', 'event', now() - interval '5 min', 'no such column')
                      ON CONFLICT (fleet, name) DO UPDATE SET broken_at = EXCLUDED.broken_at, error = EXCLUDED.error""")
    one_reason(tickets, "event is broken since 5 min", "no such column", "pgusher check")
    tickets.db.sql("UPDATE pgusher.projection SET broken_at = NULL, error = NULL")
    tickets.db.sql("UPDATE pgusher.canary SET waiting_since = now() - interval '61 min', sent_at = now()")
    one_reason(tickets, "canary", "1 h 1 min", "partition 0")
    tickets.db.sql("UPDATE pgusher.canary SET waiting_since = NULL")
    tickets.db.sql("UPDATE pgusher.worker SET seen_at = now() - interval '2 min'")
    one_reason(tickets, "hangs", "2 min", "kill -9")
    tickets.db.sql("UPDATE pgusher.worker SET seen_at = now()")
    consumer = Native(tickets.redis.client, queue="{search}")
    consumer.bury(*consumer.reserve(2))
    one_reason(tickets, "{search} has 2 dead letters", "pgusher-queue dead '{search}'")
    tickets.redis.client.flushall()


def test_a_fleet_that_is_not_there(tickets):
    """Others may be well, or there may be none: nothing can be said of this one."""
    tickets.ready(ticketing.projections())
    tickets.use(ticketing.projections(), fleet="other")
    for left in (1, 0):
        one_reason(tickets, "fleet other is not installed in this database", "pgusher install")
        for verb in ("list", "retry", "drop"):
            tickets.pgusher("quarantine", verb).must(78, "other", "not installed", "pgusher install")
        if left:
            tickets.stop()
            tickets.pgusher("fleet", "drop", "default").must(0, "0 left")
    tickets.install()
    one_reason(tickets, "fleet other has no worker")


HOLD = """SELECT pg_advisory_lock(1885828468, part) FROM generate_series(0, 15) part; SET application_name = 'by hand'; SELECT pg_sleep(600)"""


def test_a_stranger_holds_a_partition(tickets):
    """Its pid is told and what it calls itself, not the log of a worker that does not own it. (One that is idle is ended by workers.)"""
    tickets.install()
    tickets.use(ticketing.projections())
    stranger = tickets.db.connect(autocommit=True)
    pid = stranger.get_backend_pid()
    sleeping = threading.Thread(target=lambda: pytest.raises(psycopg2.OperationalError, stranger.cursor().execute, HOLD))
    sleeping.start()
    try:
        tickets.until(lambda: tickets.db.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'by hand'"), 10, "it holds all")
        tickets.start()
        tickets.until(lambda: tickets.db.value(PRESENT), 10, "the worker is there")
        tickets.db.sql("UPDATE ticket SET price = 5")
        tickets.until(lambda: reasons(tickets), 30, "somebody is told")
        one_reason(tickets, "is held by a session", f"pid {pid}", "by hand", f"pg_terminate_backend({pid})")
        tickets.pgusher("status").must(1, f"{pid}, no worker")
    finally:
        tickets.db.sql("SELECT pg_terminate_backend(%s)", pid)
        sleeping.join()
    tickets.until(lambda: not reasons(tickets), 30, "nobody is told any more")


def test_redis_needs_a_person(tickets):
    tickets.ready(ticketing.event_only())
    client = tickets.redis.client
    client.config_set("maxmemory", client.info("memory")["used_memory"] + 1_000_000)
    client.config_set("maxmemory-policy", "allkeys-random")
    for number in range(20_000):
        client.set(f"x:{number}", "x" * 200)
        if number % 1000 == 0 and client.info("stats")["evicted_keys"]:
            break
    client.config_set("maxmemory", 0)
    assert any("has evicted" in reason and "verify --repair" in reason for reason in reasons(tickets))
    client.config_resetstat()
    assert not any("has evicted" in reason for reason in reasons(tickets)), "its mend helps"


@pytest.fixture
def crowd(tickets):
    """A fleet whose only worker is a session that does nothing."""
    tickets.install()
    session = psycopg2.connect(tickets.db.conninfo(), application_name="pgusherd default")
    session.autocommit = True
    session.cursor().execute(PRESENCE)
    tickets.db.sql("UPDATE event SET name = 'x' WHERE id <= 8")
    yield tickets
    session.close()


def test_a_backlog_alone_needs_nobody(crowd):
    assert reasons(crowd) == []
    crowd.pgusher("status").must(0, "fleet default: behind by 8 changes, the oldest")


def test_nearly_cut_loose(crowd):
    crowd.db.sql("UPDATE pgusher.fleet SET max_lag_rows = 10")
    one_reason(crowd, "behind by 8 changes", "cut loose at 10 changes", "max_lag")
    crowd.db.sql("UPDATE pgusher.fleet SET max_lag_rows = 11")
    assert reasons(crowd) == []


def test_a_partition_that_stands_still(crowd):
    part = crowd.db.value("SELECT part FROM pgusher.changelog LIMIT 1")
    crowd.db.sql("UPDATE pgusher.changelog SET at = now() - interval '3 min' WHERE part = %s", part)
    assert reasons(crowd) == [], "its cursor moves"
    crowd.db.sql("UPDATE pgusher.cursor SET moved_at = now() - interval '2 min'")
    one_reason(crowd, f"partition {part} of", "stands still since 2 min", "3 min")


def test_a_canary_in_a_line_that_moves(crowd):
    part = crowd.db.value("SELECT part FROM pgusher.changelog LIMIT 1")
    crowd.use(ticketing.projections(), canary="30 s")
    crowd.db.sql("INSERT INTO pgusher.canary VALUES ('default', '30 s', %s, now(), now() - interval '5 min')", part)
    assert reasons(crowd) == []
    crowd.db.sql("UPDATE pgusher.cursor SET moved_at = now() - interval '15 s'")
    one_reason(crowd, "canary", f"partition {part} ")


def test_help_and_arguments(tickets):
    tickets.pgusher("status", "--help").must(0, "Example:", "--watch", "Exit codes")
    tickets.pgusher("status", "event").must(64, "event")
    tickets.pgusher("status", "--repair").must(64, "--repair")


def test_who_does_which_backfill(crowd):
    """A session that is known by its locks only."""
    crowd.db.sql("""INSERT INTO pgusher.backfill (fleet, projection, reason, documents, asked_at)
                    VALUES ('default', 'event', 'asked for', 500, now() - interval '100 s')""")
    assert "awake; backfill of event" not in crowd.pgusher("status").out
    busy = psycopg2.connect(crowd.db.conninfo(), application_name="pgusherd default")
    busy.cursor().execute(PRESENCE + "; SELECT pg_advisory_lock(1885828471, hashtext('default/event'))")
    crowd.pgusher("status").must(0, "backfill of event", "from event_card", "from ticket_card", "500 documents done")
    (doing,) = [worker["doing"] for worker in json.loads(crowd.pgusher("status", "--json").out)["fleets"][0]["worker_list"] if worker["doing"]]
    assert doing == ["backfill of event"]
    busy.close()


def test_the_last_verify_and_a_former_shape(crowd):
    crowd.db.sql("""INSERT INTO pgusher.verified (fleet, projection, took_ms, sampled, compared, missing, ghosts, different, expiry, repaired)
                    VALUES ('default', 'event', 5, true, 1000, 1, 2, 3, 4, 10)""")
    crowd.pgusher("status").must(0, "verified", "by a sample: 1,000 compared, in step")
    crowd.db.sql("UPDATE pgusher.verified SET repaired = 0")
    one_reason(crowd, "the last verify found 10 documents of event that differ", "pgusher verify event --repair")
    crowd.db.sql("""DELETE FROM pgusher.verified;
                    INSERT INTO pgusher.projection (fleet, name, stale) VALUES ('default', 'event', 'column city is new; run: pgusher backfill event')""")
    one_reason(crowd, "event still have their former shape: column city is new", "; pgusher backfill event")
