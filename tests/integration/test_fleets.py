"""Several fleets on one changelog, and pgusher fleet list, fleet drop."""
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import ticketing
from harness.fleet import box_beside
from harness.waiting import stays, until

TRIGGERS = "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE 'pgusher%' ORDER BY 1"
FUNCTIONS = "SELECT string_agg(prosrc, '') FROM pg_proc WHERE pronamespace = 'pgusher'::regnamespace AND proname LIKE 'capture%'"


@pytest.fixture
def other(tickets, workspace):
    """A box on the same database with a Redis of its own: fleet "search", which has the events only."""
    with box_beside(tickets, workspace) as other:
        other.use(ticketing.event_only(), fleet="search")
        yield other


def fleets(box):
    """By name, what fleet list --json says."""
    listed = json.loads(box.pgusher("fleet", "list", "--json").must(0).out)["fleets"]
    return {fleet["fleet"]: fleet for fleet in listed}


def watched(box):
    return [table for table, in box.db.sql(TRIGGERS)]


# ---- two fleets at work ----

def test_both_follow_and_both_sleep(tickets, other):
    tickets.ready(tickets.projections)
    other.ready(other.projections, fleet="search")
    for name in ("first", "second"):
        tickets.until(lambda: tickets.asleep() and other.asleep(), 10, "all gates are held")
        tickets.db.sql("UPDATE venue SET name = %s", name)
        for box in (tickets, other):
            box.until_has("event:9", seconds=2, venue=name)
    tickets.in_step()
    other.in_step()


def test_nobody_polls_while_both_sleep(tickets, other):
    tickets.ready(tickets.projections)
    other.ready(other.projections, fleet="search")
    tickets.until(lambda: tickets.asleep() and other.asleep(), 10, "all gates are held")
    silence = ("SELECT extract(epoch FROM clock_timestamp() - max(query_start)) FROM pg_stat_activity"
               " WHERE application_name LIKE 'pgusherd%' AND datname = current_database()")
    tickets.until(lambda: tickets.db.value(silence) > 3, 10, "no worker asks anything")


def test_one_that_is_away_catches_up_on_return(tickets, other):
    tickets.ready(tickets.projections)
    worker = other.ready(other.projections, fleet="search")
    worker.stop()
    tickets.db.sql("UPDATE event SET name = 'meanwhile'; DELETE FROM event WHERE id = 9")
    tickets.in_step()
    assert fleets(tickets)["search"]["lag_changes"] > 9
    other.start()
    other.in_step()


def test_drop_while_the_other_works(tickets, other):
    tickets.ready(tickets.projections)
    worker = other.ready(other.projections, fleet="search")
    other.pgusher("fleet", "drop", "search").must(1, "search", "workers", "stop them first")
    worker.stop()
    tickets.pgusher("fleet", "drop", "search").must(0, "dropped fleet search", "1 left")
    tickets.until_asleep()
    tickets.db.sql("UPDATE event SET name = 'after'")
    tickets.until_has("event:9", seconds=2, name="after")
    tickets.in_step()
    assert other.redis.client.hget("event:9", "name") == b"Event 9", "its Redis is left alone"


def test_a_killed_worker_is_in_nobodys_way(tickets, other):
    tickets.ready(tickets.projections)
    other.ready(other.projections, fleet="search").kill()
    tickets.until(lambda: fleets(tickets)["search"]["workers"] == 0, 5, "its session has ended")
    tickets.pgusher("fleet", "drop", "search").must(0)


def test_the_worker_of_a_dropped_fleet_says_what_to_do(tickets, other):
    tickets.install()
    other.install()
    tickets.pgusher("fleet", "drop", "search").must(0)
    worker = other.start()
    worker.exits(78)
    assert worker.said("search", "not installed", "pgusher install")


# ---- list ----

def test_list(tickets, other):
    tickets.ready(tickets.projections)
    other.install()
    tickets.db.sql("UPDATE event SET name = 'x' WHERE id IN (1, 2)")
    tickets.in_step()
    tickets.until_asleep()
    listed = fleets(tickets)
    assert set(listed) == {"default", "search"}
    first, second = listed["default"], listed["search"]
    assert (first["number"], first["workers"], first["partitions_owned"], first["gates_closed"]) == (0, 1, 16, 16)
    assert (first["lag_changes"], first["lag_seconds"]) == (0, None)
    assert (second["number"], second["workers"], second["partitions_owned"], second["partitions_orphaned"]) == (1, 0, 0, 16)
    assert second["lag_changes"] == 2 and 0 <= second["lag_seconds"] < 30
    assert (first["cut_seconds_ago"], first["backfills"]) == (None, [])
    plain = tickets.pgusher("fleet", "list").must(0, "16 of  16", "cut loose").out.splitlines()
    assert [line.split()[0] for line in plain] == ["fleet", "default", "search"]


def test_list_shows_who_is_cut_loose_and_what_is_to_be_done(tickets):
    tickets.install()
    tickets.db.sql("UPDATE pgusher.fleet SET cut_at = now() - interval '1234 s'")
    tickets.db.sql("INSERT INTO pgusher.backfill (fleet, projection, reason, documents)"
                   " VALUES ('default', 'event', 'test', 7), ('default', 'ticket', 'test', 5)")
    found = fleets(tickets)["default"]
    assert 1234 <= found["cut_seconds_ago"] < 1300
    assert [task["documents"] for task in found["backfills"]] == [7, 5]
    line = tickets.pgusher("fleet", "list").must(0).out.splitlines()[1].split()
    assert line[8] == "2" and 1234 <= float(line[9]) < 1300


# ---- drop ----

def test_drop_leaves_what_the_others_need(tickets, other):
    tickets.install()
    alone = watched(tickets), tickets.db.value(FUNCTIONS)
    other.install()
    assert "1885828467, 1024 OPERATOR(pg_catalog.+) slice" in tickets.db.value(FUNCTIONS)
    tickets.db.sql("INSERT INTO pgusher.quarantine (fleet, projection, key, error) VALUES ('search', 'event', 'event:1', 'x')")
    tickets.pgusher("fleet", "drop", "search").must(0)
    assert (watched(tickets), tickets.db.value(FUNCTIONS)) == alone
    for table in ("fleet WHERE name", "cursor WHERE fleet", "watch WHERE fleet", "quarantine WHERE fleet"):
        assert tickets.db.value(f"SELECT count(*) FROM pgusher.{table} = 'search'") == 0
    tickets.db.sql("UPDATE ticket SET price = 5 WHERE id = 1")
    assert tickets.changes() == 1
    tickets.pgusher("install").must(0, "all stand already")


def test_drop_takes_triggers_that_nobody_else_needs(tickets, other):
    tickets.install()
    del other.projections["event"]["watch"]["venue"]
    other.use(other.projections, fleet="search")
    other.install()
    other.pgusher("fleet", "drop", "default").must(0)
    assert watched(tickets) == ["event", "ticket"]


def test_dropping_the_last_one_ends_capture(tickets):
    tickets.install()
    tickets.pgusher("fleet", "drop", "default").must(0, "0 left")
    assert watched(tickets) == []
    assert fleets(tickets) == {}
    tickets.install()
    assert watched(tickets) == ["event", "ticket", "venue"]


def test_the_number_of_a_dropped_fleet_is_given_again(tickets, other):
    tickets.install()
    other.install()
    tickets.pgusher("fleet", "drop", "default").must(0)
    tickets.use(tickets.projections, fleet="third")
    tickets.install()
    assert {name: fleet["number"] for name, fleet in fleets(tickets).items()} == {"search": 1, "third": 0}


def test_drop_waits_for_a_busy_table(tickets, other):
    tickets.install()
    other.install()
    writer = tickets.db.connect()
    writer.cursor().execute("UPDATE event SET name = 'held' WHERE id = 1")
    with ThreadPoolExecutor() as pool:
        dropping = pool.submit(tickets.pgusher, "fleet", "drop", "search")
        until(lambda: tickets.db.value("SELECT count(*) FROM pg_locks WHERE NOT granted"), 20, "it waits for the writer")
        stays(lambda: not dropping.done(), 2, "it goes on waiting")
        writer.commit()
        writer.close()
        dropping.result().must(0, "trying again", "dropped")
    tickets.db.sql("UPDATE event SET name = 'free' WHERE id = 1")


@pytest.mark.parametrize("name, words", [("serch", ['"serch"', 'did you mean "search"', "default, search"]),
                                         ("", ['""', "default, search"]), ("x' OR '1' = '1", ["there is no fleet"])])
def test_an_unknown_fleet_is_not_dropped(tickets, other, name, words):
    tickets.install()
    other.install()
    tickets.pgusher("fleet", "drop", name).must(1, *words)
    assert set(fleets(tickets)) == {"default", "search"}


def test_without_an_installation(tickets):
    for arguments in (["list"], ["drop", "default"]):
        tickets.pgusher("fleet", *arguments).must(78, "not installed", "pgusher install")


@pytest.mark.parametrize("arguments, words", [
    ([], ["list", "drop"]), (["lst"], ["lst", 'did you mean "list"']), (["list", "x"], ["takes no", "x"]),
    (["drop"], ["name"]), (["drop", "a", "b"], ["one fleet"]), (["drop", "a", "--json"], ["--json"]),
    (["list", "--print"], ["--print"])])
def test_usage(tickets, arguments, words):
    tickets.pgusher("fleet", *arguments).must(64, *words)


def test_help(tickets):
    tickets.pgusher("fleet", "--help").must(0, "fleet list", "fleet drop NAME", "Exit codes", "Example")
    tickets.pgusher("--help").must(0, "fleet list", "fleet drop")
