"""install and uninstall: idempotent, printable, leaving nothing, and polite to writers."""
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import ticketing
from harness.box import projection
from harness.programs import SLOWER

DATA = "SELECT * FROM pgusher.capture ORDER BY 1", "SELECT * FROM pgusher.watch ORDER BY 1, 2, 3"


def installed(db):
    """All that install has made: definitions, and the tables that describe the capture."""
    return db.dump(), [sorted(map(str, db.sql(query))) for query in DATA]


def test_nothing_is_installed_by_other_verbs(tickets):
    tickets.pgusher("check")
    tickets.pgusher("status")
    tickets.pgusher("install", "--print").must(0)
    assert not tickets.db.sql("SELECT FROM pg_namespace WHERE nspname = 'pgusher'")


def test_worker_without_install_says_what_to_do(tickets):
    worker = tickets.start()
    worker.says("pgusher", "install")
    assert not tickets.db.sql("SELECT FROM pg_namespace WHERE nspname = 'pgusher'"), "never DDL at daemon start"
    worker.kill()


def test_install_is_idempotent(tickets):
    tickets.install()
    tickets.db.sql("UPDATE event SET name = 'kept' WHERE id = 1")
    before, cursors = installed(tickets.db), tickets.db.sql("SELECT fleet, part, done::text FROM pgusher.cursor")
    tickets.install()
    assert installed(tickets.db) == before
    after = tickets.db.sql("SELECT fleet, part, done::text FROM pgusher.cursor")
    assert sorted(after) == sorted(cursors), "a change would be skipped"
    assert tickets.changes() == 1


def test_printed_sql_installs_the_same(tickets):
    printed = tickets.pgusher("install", "--print").must(0).out
    applied = tickets.db.psql(printed)
    assert applied.returncode == 0, applied.stderr.decode()
    by_hand = installed(tickets.db)
    tickets.pgusher("uninstall").must(0)
    tickets.install()
    assert installed(tickets.db) == by_hand


def test_printed_sql_works(tickets):
    applied = tickets.db.psql(tickets.pgusher("install", "--print").must(0).out)
    assert applied.returncode == 0, applied.stderr.decode()
    tickets.db.sql("UPDATE event SET name = 'captured' WHERE id = 1")
    tickets.once()
    assert tickets.has("event:1", name="captured")


@pytest.mark.parametrize("printed", [False, True])
def test_uninstall_leaves_nothing(tickets, printed):
    before = tickets.db.dump()
    tickets.install()
    tickets.db.sql("UPDATE event SET name = 'x'")
    if printed:
        applied = tickets.db.psql(tickets.pgusher("uninstall", "--print").must(0).out)
        assert applied.returncode == 0, applied.stderr.decode()
    else:
        tickets.pgusher("uninstall").must(0)
    assert tickets.db.dump() == before


def test_uninstall_twice(tickets):
    tickets.install()
    tickets.pgusher("uninstall").must(0)
    tickets.pgusher("uninstall").must(0)


def test_install_adds_and_removes_watches(tickets):
    triggers = """SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger
                  WHERE tgname LIKE 'pgusher%' ORDER BY 1"""
    projections = ticketing.event_only()
    del projections["event"]["watch"]["venue"]
    tickets.use(projections)
    tickets.install()
    assert [row[0] for row in tickets.db.sql(triggers)] == ["event", "ticket"]
    tickets.use(ticketing.event_only())
    tickets.install()
    assert [row[0] for row in tickets.db.sql(triggers)] == ["event", "ticket", "venue"]
    tickets.db.sql("UPDATE venue SET city = 'Bonn' WHERE id = 1")
    assert tickets.changes() == 1
    tickets.use(projections)
    tickets.install()
    assert [row[0] for row in tickets.db.sql(triggers)] == ["event", "ticket"]


def test_column_that_a_changed_view_shows_is_captured_after_install(tickets):
    tickets.install()
    tickets.db.sql("CREATE OR REPLACE VIEW ticket_card AS SELECT t.id, t.event_id, t.price, t.sold, e.name AS event,"
                   "e.starts_at, t.memo FROM ticket t JOIN event e ON e.id = t.event_id")
    tickets.install()
    tickets.db.sql("UPDATE ticket SET memo = 'shown' WHERE id = 1")
    tickets.once()
    assert tickets.has("ticket:1", memo="shown")


def slowest_write(db, seconds):
    """The longest that a single-row update took, in seconds."""
    slowest, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        db.sql("UPDATE event SET name = 'busy' WHERE id = 2")
        slowest = max(slowest, time.monotonic() - start)
    return slowest


def test_install_retries_behind_a_writer_and_does_not_block_others(tickets):
    holder = tickets.db.connect()
    holder.cursor().execute("UPDATE event SET name = 'held' WHERE id = 1")
    with ThreadPoolExecutor() as pool:
        installing = pool.submit(tickets.pgusher, "install")
        slowest = slowest_write(tickets.db, 3)
        still_waiting = not installing.done()
        holder.commit()
        holder.close()
        result = installing.result()
    assert still_waiting, result
    result.must(0)
    assert slowest < 2.5 * SLOWER, "writers queue behind the waiting DDL only for a short lock_timeout"
    tickets.db.sql("UPDATE event SET name = 'captured' WHERE id = 2")
    assert tickets.changes() == 1


def test_install_that_changes_nothing_waits_for_nobody(tickets):
    tickets.install()
    holder = tickets.db.connect()
    holder.cursor().execute("UPDATE event SET name = 'held' WHERE id = 1")
    result = tickets.pgusher("install").must(0, "0 changes")
    assert "in use" not in result.text
    holder.rollback()
    holder.close()


@pytest.fixture
def writer(tickets):
    """A role that may write the tables and nothing else."""
    name = f"writer_{tickets.db.name}"
    tickets.db.sql(f"CREATE ROLE {name} LOGIN; GRANT INSERT, UPDATE, DELETE, TRUNCATE, SELECT ON venue, event, ticket TO {name}")
    return name


def test_writer_needs_no_privilege(tickets, writer):
    tickets.install()
    connection = tickets.db.connect(writer, autocommit=True)
    cursor = connection.cursor()
    cursor.execute("SET search_path = ''")
    cursor.execute("INSERT INTO public.event VALUES (50, 1, 'x')")
    cursor.execute("UPDATE public.event SET name = 'y' WHERE id = 50")
    cursor.execute("DELETE FROM public.event WHERE id = 50")
    cursor.execute("TRUNCATE public.ticket")
    cursor.execute("SELECT has_schema_privilege('pgusher', 'usage')")
    assert cursor.fetchone() == (False,)
    connection.close()
    assert tickets.changes() >= 4


def test_owner_without_superuser(tickets):
    """As on a managed service: the owner of the tables does it all."""
    name = f"owner_{tickets.db.name}"
    tickets.db.sql(f"CREATE ROLE {name} LOGIN; GRANT CREATE ON DATABASE {tickets.db.name} TO {name}")
    for relation in ("venue", "event", "ticket", "event_card", "ticket_card"):
        tickets.db.sql(f"ALTER TABLE {relation} OWNER TO {name}")
    tickets.use(ticketing.projections(), postgres=tickets.db.conninfo(name))
    tickets.pgusher("check").must(0)
    tickets.ready(ticketing.projections(), postgres=tickets.db.conninfo(name))
    tickets.db.sql("UPDATE venue SET name = 'x'; TRUNCATE ticket")
    tickets.until_has("event:1", venue="x", open="0")
    tickets.in_step()
    tickets.pgusher("status").must(0)
    tickets.stop()
    tickets.pgusher("uninstall").must(0)


def test_worker_role_needs_only_what_it_uses(tickets):
    """Install by the owner, work as another role that was granted what check asks for."""
    name = f"worker_{tickets.db.name}"
    tickets.install()
    tickets.db.sql(f"""CREATE ROLE {name} LOGIN; GRANT SELECT ON event_card, ticket_card, event, ticket TO {name};
                       GRANT USAGE ON SCHEMA pgusher TO {name};
                       GRANT SELECT ON ALL TABLES IN SCHEMA pgusher TO {name};
                       GRANT SELECT ON ALL SEQUENCES IN SCHEMA pgusher TO {name};
                       GRANT UPDATE ON pgusher.fleet, pgusher.cursor TO {name};
                       GRANT INSERT, UPDATE, DELETE ON pgusher.quarantine, pgusher.backfill TO {name};
                       GRANT INSERT, UPDATE, DELETE ON pgusher.projection, pgusher.former TO {name}""")
    tickets.use(ticketing.projections(), postgres=tickets.db.conninfo(name))
    tickets.db.sql("UPDATE event SET name = 'seen' WHERE id = 1")
    tickets.once()
    assert tickets.has("event:1", name="seen")


# ---- what the configuration says of the changelog ----

LIMITS = """SELECT extract(epoch FROM look_back)::int, max_lag_rows, extract(epoch FROM max_lag_age)::int
            FROM pgusher.fleet WHERE name = 'default'"""


def test_limits_are_stored_and_can_be_changed(tickets):
    tickets.install()
    assert tickets.db.sql(LIMITS) == [(300, 10000000, 86400)]
    tickets.use(ticketing.projections(), look_back="90 s", max_lag={"rows": 5000, "age": "2 h"})
    tickets.install()
    assert tickets.db.sql(LIMITS) == [(90, 5000, 7200)]
    tickets.use(ticketing.projections(), max_lag={"rows": 5000})
    tickets.install()
    assert tickets.db.sql(LIMITS) == [(300, 5000, 86400)], "what the configuration says no more is the default again"


def test_the_longest_limits(tickets):
    tickets.use(ticketing.projections(), look_back="366 days", max_lag={"age": "366 days"})
    printed = tickets.pgusher("install", "--print").must(0).out
    numbers = [int(number) for limit in re.findall(r"'(\d+ s \d+ ms)'", printed) for number in re.findall(r"\d+", limit)]
    assert numbers == [31622400, 0] * 2 and max(numbers) < 2 ** 31, "all that PostgreSQL 14 takes"
    tickets.install()
    assert tickets.db.sql(LIMITS) == [(31622400, 10000000, 31622400)]


def test_partitions_are_chosen_once(tickets):
    parts = "SELECT count(*), max(part) FROM pgusher.cursor"
    tickets.use(ticketing.projections(), partitions=4)
    tickets.install()
    assert tickets.db.sql(parts) == [(4, 3)]
    tickets.db.sql("UPDATE event SET name = 'x'")
    assert tickets.db.value("SELECT max(part) FROM pgusher.changelog") == 3
    tickets.use(ticketing.projections())
    tickets.install()
    assert tickets.db.sql(parts) == [(4, 3)], "not said: as it is"
    tickets.use(ticketing.projections(), partitions=8)
    tickets.pgusher("install").must(78, "partitions", "4")
    assert tickets.db.sql(parts) == [(4, 3)]


def test_each_fleet_has_a_number_of_its_own(tickets):
    for fleet in ("a", "b", "c"):
        tickets.pgusher("--fleet", fleet, "install").must(0)
    tickets.db.sql("DELETE FROM pgusher.fleet WHERE name = 'b'")
    tickets.pgusher("--fleet", "d", "install").must(0)
    assert tickets.db.sql("SELECT name, number FROM pgusher.fleet ORDER BY 1") == [("a", 0), ("c", 2), ("d", 1)]


def test_a_second_fleet_changes_the_functions_and_no_more(tickets):
    """The first fleet's install stays without effect afterwards: what stands does not depend on who asks."""
    tickets.install()
    before = installed(tickets.db)[0]
    tickets.pgusher("--fleet", "second", "install").must(0, "3 changes of triggers and functions")
    after = installed(tickets.db)
    assert after[0] != before
    tickets.pgusher("install").must(0, "0 changes")
    tickets.pgusher("--fleet", "second", "install").must(0, "0 changes")
    assert installed(tickets.db)[0] == after[0]


def test_fleets_that_watch_different_tables(box):
    """A table only the other fleet knows keeps its function, whatever the type of its key."""
    box.db.sql("""CREATE TABLE a (id int PRIMARY KEY, v int); CREATE TABLE b (id date PRIMARY KEY, v int);
                  CREATE VIEW a_card AS SELECT * FROM a; CREATE VIEW b_card AS SELECT * FROM b""")
    for fleet in ("a", "b"):
        box.use({fleet: projection(f"{fleet}_card", {fleet: "id"}, key=fleet + ":{id}")}, fleet=fleet)
        box.install()
    for fleet in ("a", "b"):
        box.use({fleet: projection(f"{fleet}_card", {fleet: "id"}, key=fleet + ":{id}")}, fleet=fleet)
        box.pgusher("install").must(0, "0 changes")
    box.db.sql("SET DateStyle = 'German'; INSERT INTO b VALUES ('31.12.2030')")
    assert box.db.value("SELECT keys FROM pgusher.changelog") == ["2030-12-31"]


def test_a_dump_that_left_the_rows_behind(tickets):
    """As a copy for tests is made: the schema pgusher is there, and nothing in it. An install fills it."""
    tickets.ready(ticketing.projections())
    tickets.daemons[-1].stop()
    source, tickets.db = tickets.db, tickets.db.cluster.create()
    try:
        assert tickets.db.psql(source.dump()).returncode == 0
        tickets.use(ticketing.projections())
        tickets.db.sql("CALL grow(1, 9)")
        for verb in "status", "verify", "explain event 1", "fleet list", "fleet drop default":
            tickets.pgusher(*verb.split()).must(78, "not installed", "run: pgusher install")
        tickets.pgusher("check").must(0, "run: pgusher install")
        tickets.install()
        tickets.start()
        tickets.until_asleep(20)
        tickets.db.sql("UPDATE ticket SET price = 10")
        tickets.in_step()
    finally:
        tickets.stop()
        tickets.db.drop()
        tickets.db = source
