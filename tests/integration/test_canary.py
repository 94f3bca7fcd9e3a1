"""The canary, a change of nothing that travels the whole way; and what a worker says of itself."""
import os

import pytest

from harness import ticketing
from harness.fleet import box_beside

KEY = "pgusher:canary:default"


def canary(db, fleet="default"):
    names = ("part", "latency_ms", "arrived", "waits", "sent_at")
    rows = db.sql("""SELECT part, latency_ms, arrived_at IS NOT NULL, waiting_since IS NOT NULL, sent_at
                     FROM pgusher.canary WHERE fleet = %s""", fleet)
    return dict(zip(names, rows[0])) if rows else dict.fromkeys(names)


def test_it_arrives_in_redis_and_takes_the_next_way(tickets):
    worker = tickets.ready(ticketing.projections(), canary="1 s")
    queued = tickets.queued()
    tickets.until(lambda: canary(tickets.db)["arrived"], 5, "the canary arrives")
    first = canary(tickets.db)
    assert 0 < first["latency_ms"] < 5000
    assert tickets.redis.client.hget(KEY, "part") == str(first["part"]).encode()
    tickets.until(lambda: canary(tickets.db)["part"] == first["part"] + 1 and not canary(tickets.db)["waits"], 5, "the next one")
    assert tickets.queued() == queued and tickets.differences() == []
    worker.stop()
    assert "changes applied" not in worker.log, "it is no change"


def test_off_leaves_nothing(tickets):
    tickets.ready(ticketing.projections())
    assert canary(tickets.db)["part"] is None and not tickets.redis.client.exists(KEY) and tickets.changes() == 0


def test_it_concerns_one_fleet(tickets, workspace):
    with box_beside(tickets, workspace) as beside:
        tickets.ready(ticketing.projections(), canary="1 h")
        beside.ready(ticketing.projections(), fleet="other")
        tickets.until(lambda: canary(tickets.db)["arrived"], 5, "the canary")
        tickets.until(beside.caught_up, 5, "the other fleet has passed it")
        assert tickets.redis.client.exists(KEY) and not beside.redis.client.keys("pgusher:canary:*")
        beside.stop()


# ---- how it is logged ----

def send(log, every="1 h"):
    return log.db.value("SELECT pgusher.send_canary(0::smallint, %s)", every)


def logged(log):
    return log.db.sql("SELECT part, capture, keys FROM pgusher.changelog ORDER BY seq")


def test_one_is_sent_when_it_is_time(log):
    log.install()
    assert send(log) == 3600_000 and len(logged(log)) == 1
    assert 3599_000 < send(log) <= 3600_000 and len(logged(log)) == 1


def test_one_that_does_not_arrive_is_sent_the_same_way_again(log):
    log.install()
    for expected in ([0], [0, 0], [0, 0, 1]):
        send(log)
        rows = logged(log)
        assert [part for part, *_ in rows] == expected and {capture for _, capture, _ in rows} == {0}
        assert rows[-1][2][0] == "0" and rows[-1][2][2] == str(rows[-1][0])
        if len(rows) == 2:
            log.db.sql("SELECT pgusher.canary_arrived(0::smallint, %s)", rows[0][2][1])
            assert not canary(log.db)["waits"], "the first one shows that the way is free, too"
        log.db.sql("UPDATE pgusher.canary SET sent_at = sent_at - interval '2 h'")


def test_an_older_one_says_nothing(log):
    log.install()
    send(log)
    sent_ms = float(logged(log)[0][2][1])
    log.db.sql("SELECT pgusher.canary_arrived(0::smallint, %s)", sent_ms - 1000)
    assert canary(log.db)["waits"]
    log.db.sql("SELECT pgusher.canary_arrived(1::smallint, %s)", sent_ms)
    assert canary(log.db)["waits"], "of another fleet"


def test_it_goes_where_changes_go_and_wakes_who_sleeps(log, reader):
    log.install()
    log.db.sql("SELECT pgusher.set_gauge(2)")
    sleeper = reader([0])
    sleeper.listen()
    assert sleeper.read(may_sleep=True)[0] == "asleep"
    send(log)
    assert log.tables() == [0, 0, 1, 0] and sleeper.heard() == ["0"]
    state, page = sleeper.read(may_sleep=True)
    assert state == "work" and len(page) == 1 and sleeper.gates == []
    log.db.sql("UPDATE pgusher.canary SET sent_at = sent_at - interval '2 h'")
    send(log)
    assert sleeper.heard() == [], "nobody sleeps"


def test_who_sleeps_wakes_himself(log, reader):
    """Of his own lock he would get a share."""
    log.install()
    sleeper = reader([0])
    sleeper.listen()
    assert sleeper.read(may_sleep=True)[0] == "asleep"
    sleeper.value("SELECT pgusher.send_canary(0::smallint, '1 h')")
    assert sleeper.heard() == ["0"]


def test_it_does_not_use_up_the_log(log):
    log.install(max_lag={"rows": 900})
    before = log.last_seq()
    send(log)
    assert log.last_seq() == before and logged(log) == [] and canary(log.db)["waits"]


# ---- what a worker says of itself ----

def row(box):
    rows = box.db.sql("SELECT host, pid, state, backend FROM pgusher.worker")
    return dict(zip(("host", "pid", "state", "backend"), rows[0])) if rows else None


def test_a_worker_says_how_it_stands(tickets):
    worker = tickets.ready(ticketing.projections())
    tickets.db.sql("UPDATE event SET name = 'x'")
    tickets.in_step()
    tickets.until(lambda: row(tickets) and row(tickets)["state"]["changes"] == 9, 5, lambda: f"nine changes: {row(tickets)}")
    found = row(tickets)
    assert (found["host"], found["pid"]) == (os.uname().nodename, worker.process.pid)
    state = found["state"]
    assert state["documents"] == 36 and state["tally"]["put"] == 36 and state["changes_per_s"] > 0
    assert state["partitions"] == list(range(16)) and state["latency_ms"]["p50"] <= state["latency_ms"]["p99"] < 5000
    assert state["last_error"] is None and state["gate"] == "asleep"
    worker.stop()
    assert row(tickets) is None


def test_it_tells_what_it_has_survived(tickets):
    worker = tickets.ready(ticketing.projections())
    backend = row(tickets)["backend"]
    tickets.db.sql("SELECT pg_terminate_backend(%s)", backend)
    tickets.until(lambda: row(tickets)["backend"] != backend, 5, "a new session")
    assert "terminat" in row(tickets)["state"]["last_error"]["text"]
    text = tickets.pgusher("status").must(0, "terminat").out
    assert str(worker.process.pid) in text
    worker.kill()
    tickets.until(lambda: "not connected" in tickets.pgusher("status").out, 5, "it is gone")


@pytest.mark.parametrize("trouble", ["ALTER FUNCTION pgusher.note_worker RENAME TO gone; ALTER FUNCTION pgusher.send_canary RENAME TO gone_too",
                                     "LOCK TABLE pgusher.worker, pgusher.canary IN ACCESS EXCLUSIVE MODE"])
def test_a_worker_lives_without(tickets, trouble):
    tickets.use(ticketing.projections(), canary="1 s")
    tickets.install()
    connection = tickets.db.connect()
    connection.cursor().execute(trouble)
    if "LOCK" not in trouble:
        connection.commit()
    worker = tickets.start()
    tickets.until(lambda: tickets.redis.client.exists("event:9", "ticket:27") == 2, 10, "documents")
    for number in range(5):
        tickets.db.sql("UPDATE event SET name = %s WHERE id = 1", f"name {number}")
        tickets.until_has("event:1", name=f"name {number}")
    connection.close()
    assert worker.said("trying again") == 0
