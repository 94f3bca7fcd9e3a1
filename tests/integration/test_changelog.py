"""Reading the changelog: each committed change once, as soon as it is visible, whatever the order of commits; and the gates."""
import random

import pytest

from harness.changelog import Log, Reader
from harness.waiting import until

ALL = list(range(16))


class Writer:
    """A session that does random things, and knows which of its changes are committed."""

    def __init__(self, db, number, chance):
        self.connection = db.connect(autocommit=True)
        self.sql = self.connection.cursor()
        self.number = number
        self.chance = chance
        self.serial = 0
        self.open = None  # changes of the open transaction, and where its savepoint stands

    def insert(self):
        self.serial += 1
        key = self.number * 1000000 + self.serial
        self.sql.execute("INSERT INTO doc VALUES (%s)", (key,))
        return [str(key)]

    def step(self):
        """Does one thing; the changes that it committed."""
        if self.open is None:
            if self.chance.random() < 0.3:
                return [self.insert()]
            self.sql.execute("BEGIN")
            self.open, self.savepoint = [], None
            return []
        return self.chance.choice((self.add, self.add, self.save, self.back, self.commit, self.rollback))()

    def add(self):
        self.open.append(self.insert())
        return []

    def save(self):
        self.sql.execute("SAVEPOINT s")
        self.savepoint = len(self.open)
        return []

    def back(self):
        if self.savepoint is not None:
            self.sql.execute("ROLLBACK TO SAVEPOINT s")
            del self.open[self.savepoint:]
        return []

    def commit(self):
        self.sql.execute("COMMIT")
        committed, self.open = self.open, None
        return committed

    def rollback(self):
        self.sql.execute("ROLLBACK")
        self.open = None
        return []


@pytest.mark.parametrize("seed", range(3))
def test_every_committed_change_is_read_once(log, reader, seed):
    """Against an oracle: what was committed by now is read by now, by the owner of its partition, and nothing else."""
    log.install()
    chance = random.Random(seed)
    readers = [reader([part for part in ALL if part % 3 == n]) for n in range(3)]
    writers = [Writer(log.db, number, chance) for number in range(1, 7)]
    committed, read = set(), [[], [], []]
    for _ in range(1200):
        if chance.random() < 0.85:
            committed.update(map(tuple, chance.choice(writers).step()))
            continue
        n = chance.randrange(3)
        fresh = readers[n].upto is None
        state, keys = readers[n].read(chance.choice((1, 2, 3, 1000)))
        read[n] += map(tuple, keys)
        assert committed.issuperset(read[n]), "read before its commit, or rolled back"
        if fresh and readers[n].upto is None:  # a whole batch in one page: all that was committed
            assert {key for key in committed if log.part_of(key[0]) in readers[n].parts} == set(read[n])
    for writer in writers:
        if writer.open is not None:
            committed.update(map(tuple, writer.commit()))
        writer.connection.close()
    for n in range(3):
        read[n] += map(tuple, readers[n].read_all(limit=7))
        assert all(log.part_of(key[0]) % 3 == n for key in read[n])
    assert sorted(read[0] + read[1] + read[2]) == sorted(committed)
    assert len(committed) > 150


def test_prepared_transaction_is_read_after_its_commit(workspace, own_cluster):
    own_cluster.start()
    own_cluster.admin("ALTER SYSTEM SET max_prepared_transactions = 5")
    own_cluster.stop()
    own_cluster.start()
    db = own_cluster.create()
    log = Log(workspace, db)
    log.install()
    reader = Reader(db, ALL)
    for number in (1, 2):
        db.sql(f"BEGIN; INSERT INTO doc VALUES ({number}); PREPARE TRANSACTION 't{number}'")
    log.write(3)
    assert reader.read_all() == [["3"]]
    own_cluster.stop()
    db.disconnect()
    reader.close()
    own_cluster.start()  # the gates of a prepared transaction survive a restart, and so do its rows
    reader = Reader(db, ALL, done=reader.done)
    assert reader.read(may_sleep=True)[0] == "poll"
    db.sql("ROLLBACK PREPARED 't1'")
    db.sql("COMMIT PREPARED 't2'")
    assert reader.read_all() == [["2"]]
    assert reader.read(may_sleep=True) == ("asleep", [])
    reader.close()
    db.disconnect()


def test_moved_key_is_in_both_partitions(log, reader):
    log.install()
    everything = reader(ALL)
    log.write(1)
    everything.read_all()
    log.db.sql("UPDATE doc SET id = 2")
    assert sorted(everything.read_all()) == [["1"], ["2"]]


def test_truncate_is_of_the_first_partition(log, reader):
    log.install()
    first, others = reader([0]), reader(ALL[1:])
    log.db.sql("TRUNCATE doc")
    assert first.read_all() == [None]
    assert others.read_all() == []


def test_partitions_are_even(log):
    """Over sequential numbers, a common form of keys."""
    log.install()
    log.write_many(8000)
    counts = [row[0] for row in log.db.sql("SELECT count(*) FROM pgusher.changelog GROUP BY part")]
    assert len(counts) == 16 and min(counts) > 400 and max(counts) < 600


def test_common_target(log, reader):
    """Readers whose cursors differ are driven to one snapshot, past which nothing is read."""
    log.install()
    early, late = reader([0, 1, 2, 3, 4, 5, 6, 7]), reader([8, 9, 10, 11, 12, 13, 14, 15])
    log.write(*range(1, 21))
    late.read_all()
    log.write(*range(21, 41))
    target = log.snapshot()
    log.write(*range(41, 61))
    found = []
    for one in (early, late):
        one.begin(target)
        found += [int(keys[0]) for keys in one.read()[1]]
        assert one.done == target
    assert sorted(found) == sorted(number for number in range(1, 41)
                                   if number > 20 or log.part_of(str(number)) < 8)


def test_old_keys_keep_their_meaning_under_any_collation(log, reader):
    """Keys of columns with different collations are compared and hashed all the same."""
    log.db.sql("""CREATE COLLATION other (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
                  CREATE TABLE word (a text COLLATE "C", b text COLLATE other, v int, PRIMARY KEY (a, b));
                  CREATE VIEW word_card AS SELECT * FROM word""")
    log.install(projections={"word": {"source": "word_card", "id": ["a", "b"], "key": "w:{a}:{b}",
                                      "watch": {"word": ["a", "b"]}}})
    everything = reader(ALL)
    log.db.sql("INSERT INTO word VALUES ('x', 'y', 1)")
    log.db.sql("UPDATE word SET v = 2")
    log.db.sql("UPDATE word SET b = 'Y'")
    assert everything.read_all() == [["x", "y"], ["x", "y"], ["x", "Y"], ["x", "y"]]


# ---- the gates ----

def test_a_writer_wakes_only_its_partition(log, reader):
    log.install()
    part = log.part_of("1")
    sleeper, other = reader([part]), reader([p for p in ALL if p != part])
    listener = reader([])
    listener.listen()
    assert sleeper.read(may_sleep=True) == ("asleep", []) and sleeper.gates == [part]
    log.write(1)
    assert listener.heard() == [str(part)]
    assert other.read(may_sleep=True)[0] == "asleep"
    assert sleeper.read(may_sleep=True) == ("work", [["1"]]) and sleeper.gates == []
    log.write(1)
    assert listener.heard() == [], "nobody sleeps"
    assert other.read(may_sleep=True)[0] == "asleep" and sorted(other.gates) == sorted(other.parts)


def test_a_gate_that_is_held_is_not_taken_twice(log, reader):
    log.install()
    sleeper = reader(ALL)
    for _ in range(5):
        assert sleeper.read(may_sleep=True)[0] == "asleep" and sorted(sleeper.gates) == ALL
    log.write(1)
    assert sleeper.read(may_sleep=True)[0] == "work"
    assert log.db.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1885828467") == 0


def test_no_sleep_while_a_writer_is_in_the_middle(log, reader):
    """It holds its partition's gate; the others' are taken already and kept."""
    log.install()
    part = log.part_of("1")
    sleeper = reader(ALL)
    writer = log.db.connect()
    writer.cursor().execute("INSERT INTO doc VALUES (1)")
    assert sleeper.read(may_sleep=True) == ("poll", []) and sorted(sleeper.gates) == sorted(set(ALL) - {part})
    assert sleeper.read(may_sleep=True) == ("poll", []) and sorted(sleeper.gates) == sorted(set(ALL) - {part})
    writer.commit()
    writer.close()
    assert sleeper.read(may_sleep=True) == ("work", [["1"]])
    until(lambda: sleeper.read(may_sleep=True)[0] == "asleep")


def test_sleep_is_only_for_who_asks(log, reader):
    log.install()
    awake = reader(ALL)
    assert awake.read() == ("poll", []) and awake.gates == []


def test_two_fleets_sleep_side_by_side(log, reader):
    """A fleet asleep does not keep another from sleeping, and one notification wakes both."""
    log.install("first")
    log.install("second")
    numbers = dict(log.db.sql("SELECT name, number FROM pgusher.fleet"))
    assert sorted(numbers.values()) == [0, 1]
    sleepers = [reader(ALL, number=number) for number in numbers.values()]
    for sleeper in sleepers:
        sleeper.listen()
        assert sleeper.read(may_sleep=True)[0] == "asleep" and sorted(sleeper.gates) == ALL
    log.write(1)
    for sleeper in sleepers:
        assert sleeper.heard() == [str(log.part_of("1"))]
        assert sleeper.read() == ("work", [["1"]])


def test_only_the_second_fleet_sleeps(log, reader):
    log.install("first")
    log.install("second")
    sleeper = reader(ALL, number=1)
    sleeper.listen()
    assert sleeper.read(may_sleep=True)[0] == "asleep"
    log.write(1)
    assert sleeper.heard() == [str(log.part_of("1"))]


def test_a_new_fleet_waits_for_writers_that_do_not_know_its_gate(log, reader):
    """Otherwise it could fall asleep beside one that will not notify it."""
    log.install("first")
    writer = log.db.connect()
    writer.cursor().execute("INSERT INTO doc VALUES (1)")
    log.configure("second")
    script = log.pgusher("install", "--print").must(0).out
    refused = log.db.psql(script)
    assert refused.returncode != 0 and b"lock timeout" in refused.stderr
    writer.commit()
    writer.close()
    assert log.db.psql(script).returncode == 0
    sleeper = reader(ALL, number=1)
    sleeper.listen()
    sleeper.read(may_sleep=True)
    log.write(2)
    assert sleeper.heard() == [str(log.part_of("2"))]
