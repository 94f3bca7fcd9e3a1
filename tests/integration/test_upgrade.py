"""pgusher install over a schema of version 1, with its rows, cursors and triggers, while writers go on."""
import os
import threading

import pytest

from harness.waiting import until

ALL = list(range(16))


@pytest.fixture
def old(log):
    """A database of version 1: two fleets, one behind the other, the second in the middle of a batch."""
    with open(os.path.join(os.path.dirname(__file__), "data", "schema_1.sql")) as file:
        assert log.db.psql(file.read()).returncode == 0
    log.write(1, 2, 3)
    log.db.sql("INSERT INTO pgusher.fleet (name) VALUES ('other')")
    log.db.sql("UPDATE pgusher.fleet SET done = pg_current_snapshot(), moved_at = now() - interval '1 h'")
    log.writer = log.db.connect()
    log.writer.cursor().execute("INSERT INTO doc VALUES (10)")
    log.write(4, 5)
    log.db.sql("UPDATE pgusher.fleet SET done = pg_current_snapshot() WHERE name = 'default'")
    log.write(6)
    xid, seq = log.db.sql("SELECT xid::text, seq FROM pgusher.changelog WHERE keys = '{4}'")[0]
    log.db.sql("UPDATE pgusher.fleet SET upto = pg_current_snapshot(), at_xid = %s, at_seq = %s WHERE name = 'other'", xid, seq)
    log.write(7)
    log.db.sql("INSERT INTO pgusher.quarantine (fleet, projection, key, error) VALUES ('default', 'doc', 'doc:9', 'bad')")
    log.before = log.db.sql("SELECT xid::text, seq, at, capture, keys FROM pgusher.changelog WHERE keys NOT IN ('{1}', '{2}', '{3}') ORDER BY seq")
    yield log
    log.writer.close()


def resume(log, reader, fleet):
    """A reader at the fleet's cursors, all of which must be alike."""
    ((done, upto, xid, seq),) = set(log.db.sql("SELECT done::text, upto::text, at_xid::text, at_seq FROM pgusher.cursor WHERE fleet = %s", fleet))
    number = log.db.value("SELECT number FROM pgusher.fleet WHERE name = %s", fleet)
    one = reader(ALL, done=done, number=number)
    one.upto, one.at_xid, one.at_seq = upto, xid, seq
    return one


def read(one):
    return sorted(int(keys[0]) for keys in one.read_all())


def test_nothing_is_lost(old, reader):
    """Each fleet reads what it had not applied, and what was in the middle of being written."""
    old.writer.commit()
    old.install()
    old.write(8)
    assert read(resume(old, reader, "default")) == [6, 7, 8, 10]
    assert read(resume(old, reader, "other")) == [5, 6, 7, 8, 10]


def test_rows_keep_their_transactions(old):
    old.writer.commit()
    old.install()
    after = old.db.sql("SELECT xid::text, seq, at, capture, keys FROM pgusher.changelog ORDER BY seq")
    assert [row for row in after if row[4] != ["10"]] == [row for row in old.before if row[4] != ["10"]]
    for part, keys in old.db.sql("SELECT part, keys FROM pgusher.changelog"):
        assert part == old.part_of(keys[0])
    assert old.last_seq() >= max(row[1] for row in after)
    old.write(8)
    assert old.db.value("SELECT seq FROM pgusher.changelog WHERE keys = '{8}'") > max(row[1] for row in after)


def test_what_all_have_applied_is_left_behind_and_that_is_known(old):
    ancient = old.db.value("SELECT min(xid)::text FROM pgusher.changelog")
    old.writer.commit()
    old.install()
    assert old.db.value("SELECT count(*) FROM pgusher.changelog WHERE keys IN ('{1}', '{2}', '{3}')") == 0
    assert not old.can_resume(f"{ancient}:{ancient}:")
    for (done,) in old.db.sql("SELECT DISTINCT done::text FROM pgusher.cursor"):
        assert old.can_resume(done)


def test_the_rest_is_taken_over(old):
    old.writer.commit()
    captures = old.db.sql("SELECT * FROM pgusher.capture")
    old.install()
    assert old.db.sql("SELECT name, number FROM pgusher.fleet ORDER BY 1") == [("default", 0), ("other", 1)]
    assert old.db.sql("SELECT projection, key, error FROM pgusher.quarantine") == [("doc", "doc:9", "bad")]
    assert old.db.sql("SELECT * FROM pgusher.capture") == captures
    assert old.db.value("SELECT count(*) FROM pgusher.cursor WHERE moved_at < now() - interval '59 min'") == 32
    assert old.upkeep()[0] == []


def definitions(log):
    """All that install made; the order of grants is of no importance."""
    return sorted(log.db.dump().splitlines())


@pytest.mark.parametrize("printed", [False, True])
def test_the_result_is_that_of_a_new_install(old, printed):
    old.writer.commit()
    if printed:
        old.configure()
        done = old.db.psql(old.pgusher("install", "--print").must(0).out)
        assert done.returncode == 0, done.stderr.decode()
    else:
        old.install()
    upgraded = definitions(old)
    old.install()
    assert definitions(old) == upgraded
    old.pgusher("uninstall").must(0)
    old.install("default")
    old.install("other")
    assert definitions(old) == upgraded


def test_a_writer_in_the_middle_is_waited_for(old, reader):
    """What it writes while install waits goes into the old changelog, and from there into the new one."""
    install = threading.Thread(target=old.install)
    install.start()
    old.writer.cursor().execute("INSERT INTO doc VALUES (11)")
    until(lambda: old.db.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgusher install'") == 1)
    assert old.db.value("SELECT schema_version FROM pgusher.meta") == 1
    old.writer.commit()
    install.join()
    assert old.db.value("SELECT schema_version FROM pgusher.meta") == 2
    assert read(resume(old, reader, "default")) == [6, 7, 10, 11]


def test_under_traffic(old, reader):
    """Every change that was committed is in one changelog or the other, whenever its transaction began."""
    old.writer.commit()
    over, committed = threading.Event(), []

    def write(first):
        connection = old.db.connect(autocommit=True)
        number = first
        while not over.is_set():
            connection.cursor().execute("INSERT INTO doc VALUES (%s)", (number,))
            committed.append(number)
            number += 10
        connection.close()
    writers = [threading.Thread(target=write, args=(100 + n,)) for n in range(4)]
    for writer in writers:
        writer.start()
    until(lambda: len(committed) > 200)
    old.install()
    mark = len(committed)
    until(lambda: len(committed) > mark + 200)
    over.set()
    for writer in writers:
        writer.join()
    assert read(resume(old, reader, "default")) == sorted(committed + [6, 7, 10])


def test_somebody_built_on_the_old_tables(old):
    """Install says so and changes nothing."""
    old.writer.commit()
    old.db.sql("CREATE VIEW lag AS SELECT name, done FROM pgusher.fleet")
    old.configure()
    old.pgusher("install").must((1, 78), "lag")
    assert old.db.value("SELECT schema_version FROM pgusher.meta") == 1
    old.write(8)
    assert old.rows() == 9


def test_a_newer_schema_is_left_alone(log):
    log.install()
    log.db.sql("UPDATE pgusher.meta SET schema_version = 3")
    log.pgusher("install").must(78, "version 3", "newer")
    assert log.db.value("SELECT schema_version FROM pgusher.meta") == 3
