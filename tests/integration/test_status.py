"""pgusher status: readable, parsable, and true."""
import json

import psycopg2
import pytest

from harness import ticketing
from harness.waiting import until


def values(tree, word):
    """All values whose name holds the word, anywhere in the tree."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            if word in name:
                yield value
            yield from values(value, word)
    elif isinstance(tree, list):
        for value in tree:
            yield from values(value, word)


def status(box):
    """Whatever it thinks of it: most of these fleets have no worker."""
    return json.loads(box.pgusher("status", "--json").must((0, 1)).out)


def test_plain(tickets):
    tickets.ready(ticketing.projections())
    text = tickets.pgusher("status").must(0, "default", "asleep, will be woken", "lag", "{search}", "36").text
    assert "\x1b" not in text


def test_plain_without_a_worker(tickets):
    tickets.install()
    tickets.db.sql("UPDATE event SET name = 'x' WHERE id <= 7")
    tickets.pgusher("status").must(1, "default", "7", "no worker", "needs a person", "pgusherd -c")


def test_json_with_a_worker(tickets):
    tickets.ready(ticketing.projections())
    tickets.in_step()
    tree = status(tickets)
    assert "default" in values(tree, "fleet") or "default" in values(tree, "name")
    assert 1 in [value if isinstance(value, int) else len(value) for value in values(tree, "worker")]
    assert tree["fleets"][0]["lag_changes"] == 0


def test_json_counts_the_lag(tickets):
    tickets.install()
    tickets.db.sql("UPDATE event SET name = 'x' WHERE id <= 7")
    assert fleet(tickets)["lag_changes"] == 7
    assert sum(part["unapplied"] for part in fleet(tickets)["parts"]) == 7
    tickets.once()
    assert fleet(tickets)["lag_changes"] == 0


def test_json_counts_the_queue(tickets):
    tickets.ready(ticketing.event_only())
    tickets.drain()
    tickets.db.sql("UPDATE event SET name = 'x' WHERE id <= 5")
    tickets.until_has("event:5", name="x")
    tickets.in_step()
    (queues,) = values(status(tickets), "queues")
    assert "{search}" in json.dumps(queues) and ": 5" in json.dumps(queues)


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_postgres_is_down(tickets, form):
    tickets.use(ticketing.projections(), postgres="host=/nonexistent dbname=x")
    tickets.pgusher("status", *form).must(69, "/nonexistent")


def test_redis_is_down(tickets):
    tickets.install()
    assert "in step" not in tickets.pgusher("status").must(1, "needs a person; no change waits").text, "nothing was filled yet"
    tickets.redis.stop()
    tickets.pgusher("status").must(69, "redis")


def test_not_installed(tickets):
    result = tickets.pgusher("status")
    assert result.code in (1, 78) and "pgusher" in result.text and "install" in result.text


def test_password_is_never_shown(tickets):
    tickets.install()
    tickets.use(ticketing.projections(), postgres=tickets.db.conninfo() + " password=s3cret")
    for form in ([], ["--json"]):
        assert "s3cret" not in tickets.pgusher("status", *form).must(1).text


# ---- partitions, limits, several fleets ----

def fleet(box, name="default"):
    (found,) = [fleet for fleet in status(box)["fleets"] if fleet["fleet"] == name]
    return found


def test_workers_and_their_partitions(tickets):
    tickets.install()
    assert (fleet(tickets)["partitions_owned"], fleet(tickets)["partitions_orphaned"]) == (0, 16)
    tickets.ready(ticketing.projections())
    found = fleet(tickets)
    assert (found["workers"], found["partitions_owned"], found["partitions_orphaned"]) == (1, 16, 0)
    assert found["gates_closed"] == 16 and found["asleep"]
    assert found["epoch"] == 0 and "/" in found["identity"] and found["number"] == 0
    tickets.pgusher("status").must(0, "16 owned", found["identity"])


def test_locks_of_another_fleet_or_database_do_not_count(tickets):
    tickets.install()
    foreign = [tickets.db.connect(autocommit=True), tickets.db.connect(autocommit=True)]
    foreign[0].cursor().execute("SELECT pg_advisory_lock(c, 5 * 1024 + 3) FROM unnest('{1885828467,1885828468,1885828469}'::int[]) c")
    foreign[1].cursor().execute("SELECT pg_advisory_lock_shared(1885828467, 2)")  # a writer
    found = fleet(tickets)
    assert (found["workers"], found["partitions_owned"], found["gates_closed"]) == (0, 0, 0)
    for connection in foreign:
        connection.close()


def test_lag_counts_each_partition_from_its_own_cursor(tickets):
    tickets.install()
    tickets.db.sql("UPDATE event SET name = 'x'")
    part, here = tickets.db.sql("SELECT part, count(*) FROM pgusher.changelog GROUP BY 1 ORDER BY 2 DESC LIMIT 1")[0]
    tickets.db.sql("UPDATE pgusher.cursor SET done = pg_current_snapshot() WHERE part <> %s", part)
    assert fleet(tickets)["lag_changes"] == here and not fleet(tickets)["lag_is_estimate"]
    tickets.db.sql("UPDATE pgusher.cursor SET upto = pg_current_snapshot(), at_xid = c.xid, at_seq = c.seq"
                   "  FROM (SELECT xid, seq FROM pgusher.changelog WHERE part = %s ORDER BY seq LIMIT 1) c WHERE part = %s", part, part)
    assert fleet(tickets)["lag_changes"] == here - 1


def test_what_a_closed_gate_holds_is_applied(tickets):
    """The cursor of a sleeper may be older than what it has done."""
    tickets.install()
    tickets.db.sql("UPDATE event SET name = 'x' WHERE id = 1")
    part = tickets.db.value("SELECT part FROM pgusher.changelog")
    sleeper = tickets.db.connect(autocommit=True)
    sleeper.cursor().execute("SELECT pg_advisory_lock(1885828467, %s)", (part,))
    assert fleet(tickets)["lag_changes"] == 0 and fleet(tickets)["lag_seconds"] is None
    sleeper.close()


def test_a_large_lag_is_estimated(tickets):
    tickets.install()
    tickets.db.sql("INSERT INTO ticket SELECT n, 1, 1 FROM generate_series(1000, 31000) n")
    found = fleet(tickets)
    assert found["lag_is_estimate"] and 30001 <= found["lag_changes"] <= 30100 and found["lag_seconds"] < 60
    assert [table["rows"] for table in status(tickets)["changelog"]["tables"]][0] == pytest.approx(30001, abs=1)
    tickets.pgusher("status").must(1, "about 3", ",0")


def test_a_long_changelog_is_not_read_through(tickets):
    """Whatever the statistics say of it."""
    tickets.install()
    tickets.db.sql("UPDATE event SET name = 'x'")
    tickets.db.sql("""INSERT INTO pgusher.changelog_0 (seq, part, capture, keys)
                      SELECT nextval('pgusher.changelog_seq'), 15, 1, '{1}' FROM generate_series(1, 50000);
                      ANALYZE pgusher.changelog_0""")
    scans = "SELECT seq_scan FROM pg_stat_user_tables WHERE relid = 'pgusher.changelog_0'::regclass"
    before = tickets.db.value(scans)
    assert fleet(tickets)["lag_changes"] == pytest.approx(50009, abs=10)
    until(lambda: not tickets.db.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgusher status'"))
    assert tickets.db.value(scans) == before


def test_tables_of_the_changelog(tickets):
    tickets.install()
    tickets.db.sql("UPDATE event SET name = 'x' WHERE id <= 4")
    tickets.db.sql("SELECT pgusher.set_gauge(2)")
    tickets.db.sql("UPDATE event SET name = 'y' WHERE id <= 3")
    tables = status(tickets)["changelog"]["tables"]
    assert [table["rows"] for table in tables] == [4, 0, 3, 0]
    assert [table["current"] for table in tables] == [False, False, True, False]
    assert status(tickets)["changelog"]["bytes"] == sum(table["bytes"] for table in tables) > 0


def test_a_fleet_cut_loose_says_so(tickets):
    tickets.use(ticketing.event_only(), max_lag={"rows": 3})
    tickets.install()
    assert fleet(tickets)["cut_seconds_ago"] is None
    for name in ("x", "y"):
        tickets.db.sql("UPDATE event SET name = %s WHERE id <= 3", name)
        tickets.db.sql("SELECT pgusher.upkeep()")
    assert 0 <= fleet(tickets)["cut_seconds_ago"] < 60
    tickets.pgusher("status").must(1, "cut loose", "max_lag")


def test_backfills_show_their_progress(tickets):
    tickets.install()
    tickets.db.sql("""INSERT INTO pgusher.backfill (fleet, projection, reason, position, documents)
                      VALUES ('default', 'event', 'Redis is new', '{5}', 5);
                      INSERT INTO pgusher.backfill (fleet, projection, reason, phase, not_before)
                      VALUES ('default', 'ticket', 'Redis is new', 'keys', '99999999')""")
    event, ticket = fleet(tickets)["backfills"]
    assert (event["projection"], event["documents"], event["position"], event["phase"]) == ("event", 5, ["5"], "rows")
    assert not event["waits_for_a_transaction"] and ticket["waits_for_a_transaction"] and ticket["phase"] == "keys"
    tickets.pgusher("status").must(1, "backfill", "event: 5 documents", "Redis is new", "waits for a transaction")


def test_polling_workers_are_told(tickets):
    tickets.install()
    assert fleet(tickets)["polling"] == 0
    deaf = psycopg2.connect(tickets.db.conninfo(), application_name="pgusherd default (polling)")
    assert fleet(tickets)["polling"] == 1
    deaf.cursor().execute("SELECT pg_advisory_lock_shared(1885828469, 0)")
    tickets.pgusher("status").must(1, "polling", "notifications do not reach", "pooler")
    deaf.close()


def test_several_fleets(tickets):
    for name in ("one", "two"):
        tickets.pgusher("--fleet", name, "install").must(0)
    tickets.db.sql("UPDATE event SET name = 'x' WHERE id = 1")
    tickets.db.sql("UPDATE pgusher.cursor SET done = pg_current_snapshot() WHERE fleet = 'one'")
    assert (fleet(tickets, "one")["lag_changes"], fleet(tickets, "two")["lag_changes"]) == (0, 1)
    assert (fleet(tickets, "one")["number"], fleet(tickets, "two")["number"]) == (0, 1)


def test_an_older_schema(tickets):
    tickets.install()
    tickets.db.sql("DROP FUNCTION pgusher.about_rows")
    tickets.pgusher("status").must(78, "older version", "pgusher install")
