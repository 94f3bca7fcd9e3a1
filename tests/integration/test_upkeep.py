"""The changelog's life: tables turn, and are truncated when everybody has left them."""
import threading
import time

import pytest

from harness.programs import SLOWER
from harness.waiting import stays, until

ALL = list(range(16))


def tidy(log, *fleets):
    """One round of workers that have applied everything."""
    for fleet in fleets or ["default"]:
        log.apply_all(fleet)
    return log.upkeep()


def until_idle(log, *fleets, seconds=8):
    until(lambda: tidy(log, *fleets)[1], seconds, lambda: f"the changelog is empty: {log.tables()}", every=0.05)


def turn(log):
    """Waits until another table is written."""
    before = log.current()
    until(lambda: log.upkeep() and log.current() != before, 5, "the tables turn", every=0.05)


def test_nothing_to_do(log):
    log.install()
    assert log.upkeep() == ([], True)
    assert log.rows() == 0 and log.db.value("SELECT count(*) FROM pgusher.moment") == 0


def test_rows_stay_for_the_look_back(log):
    log.install(look_back="2 s")
    log.write(1)
    stays(lambda: tidy(log) == ([], False) and log.rows() == 1, 1.9)
    until_idle(log)
    assert log.rows() == 0


def test_a_clock_that_was_put_back(log):
    """What it noted of days to come must not keep the changelog until then."""
    log.install(look_back="2 s")
    log.write(1)
    tidy(log)
    log.db.sql("UPDATE pgusher.moment SET at = at + interval '1 day'")
    assert log.db.value("SELECT count(*) FROM pgusher.moment") == 1
    until_idle(log)
    assert log.rows() == 0


def test_a_commit_counts_from_when_it_became_visible(log):
    """A row written long ago by a transaction that has just ended can be read again for the whole look-back."""
    log.install(look_back="2 s")
    writer = log.db.connect()
    writer.cursor().execute("INSERT INTO doc VALUES (1)")
    turn_by = log.write  # traffic of others, so that there is something to turn
    turn_by(2)
    done = log.snapshot()
    stays(lambda: tidy(log) is not None, 3)
    writer.commit()
    writer.close()
    assert log.can_resume(done)
    stays(lambda: tidy(log) is not None and log.can_resume(done), 1.8)
    assert log.db.value("SELECT count(*) FROM pgusher.changelog WHERE keys = '{1}'") == 1
    until_idle(log)
    assert not log.can_resume(done)


def test_tables_turn_and_are_reused(log):
    log.install(look_back="1 s")
    seen = []
    for number in range(60):
        log.write(number)
        if log.current() not in seen[-1:]:
            seen.append(log.current())
        tidy(log)
        if len(seen) > 8:
            break
        stays(lambda: True, 0.15)
    assert len(seen) > 8 and set(seen) == {0, 1, 2, 3}
    assert all((before + 1) % 4 == after for before, after in zip(seen, seen[1:]))
    assert log.rows() < 30
    until_idle(log)


def test_a_table_is_turned_when_it_is_large(log):
    """Many rows are estimated by their numbers."""
    log.install()
    log.write_many(10000)
    tidy(log)
    log.db.sql("SELECT setval('pgusher.changelog_seq', 1000020)")
    log.write(1)
    assert log.current() == 0
    tidy(log)
    assert log.current() == 1


def test_a_fleet_that_has_not_read_keeps_the_rows(log):
    log.install("ahead", look_back="1 s")
    log.install("behind", look_back="1 s")
    log.write(1)
    turn(log)
    stays(lambda: tidy(log, "ahead") == ([], False) and log.rows() == 1, 2.5)
    until_idle(log, "ahead", "behind")


@pytest.mark.parametrize("part", [0, 7, 15])
def test_one_partition_that_has_not_read_keeps_the_rows(log, part):
    log.install(look_back="1 s")
    log.write(*range(100))
    turn(log)

    def apply_others():
        log.db.sql("UPDATE pgusher.cursor SET done = pg_current_snapshot() WHERE part <> %s", part)
        log.upkeep()
        return log.rows() == 100
    stays(apply_others, 2)
    until_idle(log)


def test_a_fleet_in_the_middle_of_a_batch_keeps_the_rows(log):
    log.install(look_back="1 s")
    log.write(1)
    log.db.sql("UPDATE pgusher.cursor SET upto = pg_current_snapshot(), at_xid = '1', at_seq = 0")
    turn(log)
    stays(lambda: log.upkeep()[1] is False and log.rows() == 1, 2)


def test_the_longest_look_back_counts(log):
    log.install("short", look_back="1 s")
    log.install("long", look_back="3 s")
    log.write(1)
    stays(lambda: tidy(log, "short", "long")[1] is False and log.rows() == 1, 2.8)
    until_idle(log, "short", "long")


def test_quiet_partitions_are_woken(log, reader):
    """Their cursors hold the tables though nothing happens there: their owners are asked to save them."""
    log.install(look_back="2 s")
    listener = reader([])
    listener.listen()
    log.write(1)
    log.db.sql("UPDATE pgusher.cursor SET done = pg_current_snapshot() WHERE part <> 5")
    heard = []
    until(lambda: log.upkeep() and heard.extend(listener.heard()) is None and "5" in heard, 5, every=0.1)
    log.apply_all()
    listener.heard()
    log.upkeep()
    assert listener.heard() == []


# ---- transactions that stay ----

def traffic(log, over):
    connection = log.db.connect(autocommit=True)
    cursor = connection.cursor()
    while not over.is_set():
        cursor.execute("INSERT INTO doc VALUES (1) ON CONFLICT (id) DO UPDATE SET v = doc.v + 1")
    connection.close()


@pytest.mark.parametrize("holds", ["a table", "an xid"])
def test_a_long_transaction_does_not_let_the_log_grow(log, holds):
    """It holds one table at most; the others turn, and nobody waits."""
    log.install(look_back="1 s")
    holder = log.db.connect()
    holder.cursor().execute("INSERT INTO doc VALUES (2)" if holds == "a table" else "SELECT pg_current_xact_id()")
    done = log.snapshot()
    over = threading.Event()
    writer = threading.Thread(target=traffic, args=(log, over))
    writer.start()

    def most_is_gone():
        tidy(log)
        return log.last_seq() > 1000 and log.rows() < log.last_seq() / 2
    try:
        until(most_is_gone, 60, lambda: f"{log.rows()} rows of {log.last_seq()}", every=0.2)
    finally:
        over.set()
        writer.join()
    holder.commit()
    holder.close()
    if holds == "a table":
        assert log.db.value("SELECT count(*) FROM pgusher.changelog WHERE keys = '{2}'") == 1, "its rows are still there"
    assert not log.can_resume(done)
    until_idle(log)


def test_truncating_waits_for_nobody(log):
    """A reader in the middle of a transaction has a table: upkeep goes on without it, and whoever writes does not notice."""
    log.install(look_back="1 s")
    log.write(1)
    turn(log)
    holder = log.db.connect()
    holder.cursor().execute("SELECT * FROM pgusher.changelog")

    def run():
        begin = time.monotonic()
        tidy(log)
        return log.rows() == 1 and time.monotonic() - begin < 0.5 * SLOWER
    stays(run, 2)
    holder.rollback()
    holder.close()
    until_idle(log)


def test_upkeep_is_done_by_one_at_a_time(log):
    log.install(look_back="1 s")
    log.write(1)
    other = log.db.connect()
    other.cursor().execute("SELECT pg_advisory_xact_lock(1885828470, 1)")
    assert log.upkeep() == ([], False)
    assert log.db.value("SELECT count(*) FROM pgusher.moment") == 0
    other.rollback()
    other.close()
    log.upkeep()
    assert log.db.value("SELECT count(*) FROM pgusher.moment") == 1


def test_moments_are_few(log):
    log.install(look_back="1 s", max_lag={"age": "2 s"})
    log.write(1)
    stays(lambda: log.upkeep() and log.write(1) is None, 5)
    assert log.db.value("SELECT count(*) FROM pgusher.moment") <= 12


# ---- who may do it ----

def test_the_worker_role_needs_no_more_than_is_granted(log, reader):
    name = f"worker_{log.db.name}"
    log.db.sql(f"CREATE ROLE {name} LOGIN; GRANT CREATE ON DATABASE {log.db.name} TO {name}; GRANT ALL ON SCHEMA public TO {name};"
               f"ALTER TABLE doc OWNER TO {name}; ALTER VIEW doc_card OWNER TO {name}")
    other = f"other_{log.db.name}"
    log.db.sql(f"CREATE ROLE {other} LOGIN; GRANT SELECT ON doc, doc_card TO {other}")
    log.install(look_back="1 s", postgres=log.db.conninfo(name))
    log.db.sql(f"""GRANT USAGE ON SCHEMA pgusher TO {other}; GRANT SELECT ON ALL TABLES IN SCHEMA pgusher TO {other};
                   GRANT SELECT ON ALL SEQUENCES IN SCHEMA pgusher TO {other};
                   GRANT UPDATE ON pgusher.fleet, pgusher.cursor TO {other}""")
    log.write(1)
    for user in (name, other):
        worker = reader(ALL, user=user)
        worker.sql.execute("SELECT pg_advisory_lock_shared(1885828469, 0), pgusher.share(0::smallint)")
        worker.sql.execute("SELECT pgusher.release(0::smallint, '{0}', '{}'), pgusher.can_resume(pg_current_snapshot())")
        worker.sql.execute("SELECT pgusher.restart_log()")
        worker.sql.execute("UPDATE pgusher.cursor SET done = pg_current_snapshot()")
        assert worker.read(may_sleep=True)[0] == "asleep"
        log.write(1)
        until(lambda: worker.value("SELECT idle FROM pgusher.upkeep()") or
              worker.sql.execute("UPDATE pgusher.cursor SET done = pg_current_snapshot()"), 8, every=0.1)
        worker.close()
