"""Who stays away too long is cut loose, logging stops when nobody reads, and every fleet knows what it has lost."""
import pytest

from harness.waiting import stays, until

from test_upkeep import ALL, tidy, until_idle


def cut(log, fleet="default"):
    return log.db.value("SELECT cut_at IS NOT NULL FROM pgusher.fleet WHERE name = %s", fleet)


def test_cut_by_rows(log):
    log.install("away", max_lag={"rows": 100})
    log.install("here")
    log.write_many(100)
    log.apply_all("here")
    assert log.upkeep() == ([], False) and not cut(log, "away")
    log.write(1000)
    log.apply_all("here")
    ((event,), idle) = log.upkeep()
    assert "away" in event and "max_lag.rows" in event and "100" in event and not idle
    assert cut(log, "away") and not cut(log, "here")
    assert log.upkeep() == ([], False), "it is said once"


def test_what_is_applied_in_the_middle_of_a_batch_does_not_count(log, reader):
    log.install(max_lag={"rows": 100})
    log.write_many(150)
    target = log.snapshot()
    xid, seq = log.db.sql("SELECT xid::text, seq FROM pgusher.changelog ORDER BY seq OFFSET 99 LIMIT 1")[0]
    log.db.sql("UPDATE pgusher.cursor SET upto = %s, at_xid = %s, at_seq = %s", target, xid, seq)
    log.upkeep()
    assert not cut(log)
    log.db.sql("UPDATE pgusher.cursor SET at_seq = 10")
    log.upkeep()
    assert cut(log)


def test_a_quiet_partition_is_not_cut(log):
    """Its cursor is old, but nothing waits for it but canaries."""
    log.install(max_lag={"rows": 100, "age": "1 s"}, look_back="1 s")
    quiet = log.part_of("1")
    for number in range(300):
        if log.part_of(str(number)) != quiet:
            log.write(number)
    log.db.sql("INSERT INTO pgusher.changelog_0 (seq, part, capture) VALUES (nextval('pgusher.changelog_seq'), %s, 0)", quiet)
    log.db.sql("UPDATE pgusher.cursor SET done = pg_current_snapshot() WHERE part <> %s", quiet)
    stays(lambda: log.upkeep()[0] == [], 2.5)
    assert not cut(log)
    log.db.sql("UPDATE pgusher.cursor SET done = (SELECT done FROM pgusher.cursor WHERE part = %s)", quiet)
    log.upkeep()
    assert cut(log)


def test_cut_by_age(log):
    log.install("away", max_lag={"age": "2 s"})
    log.install("here")
    log.write(1)
    stays(lambda: tidy(log, "here")[0] == [], 1.9)
    until(lambda: cut(log, "away") or tidy(log, "here") is None, 5)
    assert not cut(log, "here")


def test_a_late_commit_is_not_old(log):
    log.install(max_lag={"age": "1 s"}, look_back="1 s")
    writer = log.db.connect()
    writer.cursor().execute("INSERT INTO doc VALUES (1)")
    log.write(2)
    stays(lambda: tidy(log)[0] == [], 2.5)
    writer.commit()
    writer.close()
    assert log.upkeep()[0] == []
    stays(lambda: log.upkeep()[0] == [], 0.7)
    until(lambda: log.upkeep()[0] != [], 3)


def test_the_log_of_a_cut_fleet_is_tidied_and_it_knows(log, reader):
    log.install("away", max_lag={"rows": 10}, look_back="1 s")
    log.install("here", look_back="1 s")
    away = reader(ALL)
    log.write_many(50)
    until_idle(log, "here")
    assert log.rows() == 0 and cut(log, "away")
    assert away.read() == ("lost", [])
    assert not log.can_resume(away.done)
    away.sql.execute("SELECT done::text, not_before::text FROM pgusher.restart_log()")
    away.done, not_before = away.sql.fetchone()
    away.begin(None)
    assert not_before == "0"
    log.write(1)
    assert away.read() == ("work", [["1"]])


def test_a_cut_fleet_whose_rows_are_still_there_goes_on(log, reader):
    log.install(max_lag={"rows": 10})
    away = reader(ALL)
    for start in (1, 11):
        log.write_many(10, start)
        log.upkeep()
    assert cut(log)
    assert len(away.read_all()) == 20


# ---- where logging stops ----

def test_writers_stop_logging_when_no_worker_lives(log, reader):
    """The disk does not fill, and whoever comes back knows that changes are missing."""
    log.install(max_lag={"rows": 50})
    away = reader(ALL)
    log.write_many(50)
    assert log.rows() == 50 and log.can_resume(away.done)
    log.write_many(100, start=100)
    log.write(1)
    assert log.rows() == 50 and not log.can_resume(away.done)
    assert log.db.value("SELECT count(*) FROM doc") == 150, "the application's writes succeed"
    assert away.read() == ("lost", [])
    done = log.db.value("SELECT done FROM pgusher.restart_log()")
    log.write(1)
    assert log.rows() == 51 and log.can_resume(done) and not log.can_resume(away.done)


def test_upkeep_moves_the_stop_ahead(log):
    log.install(max_lag={"rows": 50})
    for number in range(20):
        log.write_many(40, start=number * 40)
        log.apply_all()
        log.upkeep()
    assert log.rows() == 800 and log.stop_at() == 851


def test_upkeep_after_a_stop_tells_all_fleets(log, reader):
    log.install("one", max_lag={"rows": 50})
    log.install("two", max_lag={"rows": 50})
    readers = [reader(ALL), reader(ALL)]
    log.write_many(60)
    log.upkeep()
    log.write(1)
    assert log.rows() == 51
    for one in readers:
        assert one.read() == ("lost", [])
    for one in readers:
        one.done = log.db.value("SELECT done FROM pgusher.restart_log()")
        one.begin(None)
        assert one.read() == ("poll", [])


def test_a_transaction_that_dropped_changes_is_waited_for(log):
    """It will commit after the log was opened again, and the log will not have its changes."""
    log.install("one", max_lag={"rows": 5})
    log.install("two")
    log.db.sql("UPDATE pgusher.fleet SET max_lag_rows = 5")
    log.db.sql("SELECT pgusher.set_gauge(0)")
    log.write_many(5)
    writer = log.db.connect()
    writer.cursor().execute("INSERT INTO doc VALUES (100)")
    for _ in ("one", "two"):
        xid = log.db.value("SELECT backend_xid::text FROM pg_stat_activity WHERE pid = %s", writer.get_backend_pid())
        done, not_before = log.db.sql("SELECT done::text, not_before::text FROM pgusher.restart_log()")[0]
        assert int(not_before) >= int(xid), "a backfill must not begin before it has ended"
        assert log.can_resume(done)
    writer.commit()
    writer.close()
    assert log.db.value("SELECT pg_snapshot_xmin(pg_current_snapshot()) > %s::xid8", not_before)
    assert log.db.value("SELECT not_before::text FROM pgusher.restart_log()") == "0"


def test_a_stop_is_known_even_if_the_server_dies_while_it_is_moved(log, reader):
    """The sequence moved, the transaction that would have told the fleets did not commit."""
    log.install(max_lag={"rows": 5})
    away = reader(ALL)
    log.write_many(10)
    log.db.sql("SELECT setval('pgusher.gauge', (1000 << 2))")
    assert log.stop_at() == 1000 and log.last_seq() == 10
    assert away.read() == ("lost", [])
    log.db.sql("SELECT pgusher.restart_log()")
    assert log.can_resume(log.snapshot())


def test_a_stop_is_known_by_the_sequence_alone(log):
    """A writer that has drawn its number may have seen the old stop, and not have said so yet."""
    log.install(max_lag={"rows": 5})
    before = log.snapshot()
    log.db.sql("SELECT setval('pgusher.changelog_seq', %s)", log.stop_at())
    log.upkeep()
    assert log.stop_at() > log.last_seq()
    assert not log.can_resume(before) and log.can_resume(log.snapshot())


# ---- judging a cursor ----

@pytest.mark.parametrize("done, lost", [
    ("100:100:", False),         # sees exactly what the horizon sees
    ("100:120:100,110", False),  # what it does not see, the horizon did not either
    ("150:150:", False),
    ("99:99:", True),            # 99 may be gone
    ("90:120:90", True),         # it waited for 90, which may be gone
    ("95:120:95,97,100", False),
    ("95:120:95", False),
    ("95:120:96", True),
])
def test_can_resume_truth(log, done, lost):
    log.install()
    log.db.sql("UPDATE pgusher.meta SET horizon = '95:100:95,97'")
    assert log.can_resume(done) is not lost


def test_a_cursor_of_the_future_cannot_resume(log):
    log.install()
    assert log.can_resume(log.snapshot())
    future = int(log.db.value("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")) + 1000
    assert not log.can_resume(f"{future}:{future}:")


def test_a_dump_restored_into_a_younger_server(log, reader):
    """Rows, cursors and marks from another server's future: they hold nothing up, and the fleet restarts."""
    log.install(look_back="1 s")
    log.write(1)
    log.db.sql("""INSERT INTO pgusher.changelog_1 (xid, seq, part, capture, keys) VALUES ('99999999', 7, 0, 1, '{7}');
                  UPDATE pgusher.cursor SET done = '99999990:99999990:';
                  UPDATE pgusher.meta SET horizon = '99999900:99999900:', dropped_before = '99999000';
                  INSERT INTO pgusher.moment VALUES (now() - interval '1 h', '99999800:99999800:');
                  SELECT setval('pgusher.dropped', 99998000)""")
    old = reader(ALL, done="99999990:99999990:")
    assert old.read() == ("lost", [])
    old.done = log.db.value("SELECT done::text FROM pgusher.restart_log()")
    old.begin(None)
    assert old.read() == ("poll", [])
    log.write(2)
    assert old.read() == ("work", [["2"]])
    until_idle(log)
    assert log.tables() == [0, 0, 0, 0] and log.can_resume(log.snapshot())


def test_a_cut_fleet_that_caught_up_in_time_holds_the_changelog_again(log):
    log.install(max_lag={"rows": 10}, look_back="1 s")
    for start in (1, 11):
        log.write_many(10, start)
        log.upkeep()
    assert cut(log)
    assert log.upkeep() == ([], False) and cut(log), "nobody came back"
    log.apply_all("default")
    ((event,), _) = log.upkeep()
    assert "default" in event and "is back" in event and not cut(log)
    until_idle(log)
    log.write(1)
    stays(lambda: log.upkeep() == ([], False) and log.rows() == 1, 2.5)


def test_a_cut_fleet_that_comes_back_too_late_stays_cut(log):
    log.install("away", max_lag={"rows": 10}, look_back="1 s")
    log.install("here", look_back="1 s")
    log.write_many(50)
    until_idle(log, "here")
    log.write(1)
    log.db.sql("UPDATE pgusher.cursor SET moved_at = now() WHERE fleet = 'away'")
    assert log.upkeep() == ([], False) and cut(log, "away")
