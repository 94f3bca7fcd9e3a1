"""Dates that pass while nothing changes: Redis drops the hash by itself, the sweep tells the queues."""
import time
from collections import Counter

import pytest

from harness.box import projection

SWEEP = "100 ms"


def shows(box, sweep=SWEEP, **more):
    """Shows with a date, swept so often; nothing installed."""
    box.db.sql("CREATE TABLE show (id int PRIMARY KEY, name text, at timestamptz)")
    box.use({"show": projection("show", {"show": "id"}, expire_at="at", queues=["{search}"], **more)}, sweep=sweep)
    return box


@pytest.fixture
def at_work(box):
    shows(box).install()
    box.start()
    box.until_asleep()
    return box


def add(box, first, last, seconds):
    """The date of these passes in so many seconds."""
    box.db.sql("INSERT INTO show SELECT id, 'x', clock_timestamp() + make_interval(secs => %s) FROM generate_series(%s, %s) id"
               " ON CONFLICT (id) DO UPDATE SET at = excluded.at", seconds, first, last)


def soon(box, first, last, seconds=0.4):
    """The date of these is about to pass; their items until now are taken. On a machine that is too slow for that, later."""
    keys = [f"show:{number}" for number in range(first, last + 1)]
    for patience in (1, 5, 25):
        add(box, first, last, seconds * patience)
        box.until_caught_up()
        box.drain()
        if box.redis.client.exists(*keys) == len(keys):
            return keys
    pytest.fail("the documents were never there")


def until_told(box, *items, seconds=5):
    """Exactly these are queued, and their hashes are gone."""
    told = []

    def all_are():
        told.extend(box.drain())
        return set(items) <= set(told)
    box.until(all_are, seconds, lambda: f"{items} are queued: {told}")
    assert sorted(told) == sorted(items)
    assert not box.redis.client.exists(*items)


def test_a_date_that_passes_is_told(at_work):
    add(at_work, 2, 2, 3600)
    keys = soon(at_work, 1, 1)
    at_work.db.sql("ALTER TABLE show ADD COLUMN more int")  # no live change says that the plan is stale
    until_told(at_work, *keys)
    assert at_work.redis.client.exists("show:2")
    assert at_work.daemons[0].said("the date of 1 document of projection show passed")
    at_work.in_step()


def test_every_type_of_date_and_the_grace(box):
    """All three pass at the same moment: their grace is what is left until then."""
    box.db.sql("CREATE TABLE t1 (id int PRIMARY KEY, at timestamptz); CREATE TABLE t2 (id int PRIMARY KEY, at timestamp);"
               "CREATE TABLE t3 (id int PRIMARY KEY, at date)")
    tables = {name: projection(name, {name: "id"}, expire_at="at", queues=["{search}"]) for name in ("t1", "t2", "t3")}
    box.use(tables)
    box.install()
    day_ms = 86400 * 1000
    grace = f"{int(time.time() * 1000) % day_ms + day_ms + 2500} ms"
    box.use({name: {**table, "expire_grace": grace} for name, table in tables.items()}, sweep=SWEEP)
    box.start()
    yesterday = "date_trunc('day', now() AT TIME ZONE 'UTC') - interval '1 day'"
    box.db.sql(f"INSERT INTO t1 VALUES (1, ({yesterday}) AT TIME ZONE 'UTC'), (2, NULL), (3, 'infinity');"
               f"INSERT INTO t2 VALUES (1, {yesterday}); INSERT INTO t3 VALUES (1, {yesterday})")
    box.until(lambda: box.redis.client.exists("t1:1", "t1:2", "t1:3", "t2:1", "t3:1") == 5, 2, "the documents are there")
    box.until_caught_up()
    box.drain()
    until_told(box, "t1:1", "t2:1", "t3:1")
    assert box.redis.client.exists("t1:2", "t1:3") == 2


@pytest.mark.parametrize("once", [False, True])
def test_what_passed_while_no_worker_lived_is_told_by_the_next(at_work, once):
    soon(at_work, 1, 2, 0.6)
    at_work.daemons[0].stop()
    at_work.until_gone("show:1")
    at_work.until_gone("show:2")
    assert at_work.drain() == []
    if once:
        at_work.once()
    else:
        at_work.start()
    until_told(at_work, "show:1", "show:2")


def test_of_two_workers_one_tells(at_work):
    at_work.start().says("2 workers")
    for number in range(1, 9):
        add(at_work, number, number, 2 + number / 10)
    at_work.until_caught_up()
    at_work.drain()
    until_told(at_work, *(f"show:{number}" for number in range(1, 9)))


def test_killed_in_the_middle(at_work):
    """Three steps of one moment, with what was told already told again at the most."""
    soon(at_work, 1, 2500, 1.5)
    at_work.start().says("2 workers")
    at_work.until(lambda: at_work.redis.client.llen("{search}"), 30, "the first are told", every=0.001)
    at_work.daemons[0].kill()
    at_work.until(lambda: at_work.redis.client.llen("{search}") == 2500, 10, "all are told")
    assert Counter(at_work.drain()) == Counter(f"show:{number}" for number in range(1, 2501))


def test_what_redis_forgot_is_told_again(at_work):
    """It fell back to a state in which the queue had not been told."""
    keys = soon(at_work, 1, 1)
    before = int(time.time() * 1000)
    until_told(at_work, *keys)
    at_work.daemons[0].stop()
    assert int(at_work.redis.client.hget("pgusher:fleet:default", "sweep:show")) > before
    at_work.redis.client.hset("pgusher:fleet:default", "sweep:show", before)
    at_work.start()
    until_told(at_work, "show:1")


def test_a_change_between_the_date_and_the_sweep_is_told(box):
    """The row is gone, or its date is another one, before anybody asked for dates that passed."""
    shows(box, sweep="1 h").install()
    box.start()
    box.until_asleep()
    soon(box, 1, 2)
    box.until_gone("show:1")
    box.until_gone("show:2")
    box.db.sql("DELETE FROM show WHERE id = 1")
    box.db.sql("UPDATE show SET at = now() - interval '1 year' WHERE id = 2")
    until_told(box, "show:1", "show:2")
    box.db.sql("UPDATE show SET name = 'y' WHERE id = 2")
    box.until_caught_up()
    assert box.drain() == [], "it was told already"


def test_a_backfill_does_not_tell_of_the_past(box):
    shows(box, sweep="1 h")
    add(box, 1, 3, seconds=-86400)
    box.install()
    box.start()
    box.until_asleep()
    box.pgusher("backfill").must(0)
    box.until_asleep()
    assert box.drain() == []


def test_a_source_whose_dates_cannot_be_read_stops_nothing(box):
    shows(box, sweep=SWEEP)
    box.db.sql("CREATE TABLE odd (id int PRIMARY KEY, per int); CREATE VIEW odd_card AS"
               " SELECT id, now() + interval '1 h' / per AS at FROM odd; INSERT INTO odd VALUES (1, 0)")
    odd = projection("odd_card", {"odd": "id"}, expire_at="at", queues=["{search}"])
    box.use({"odd": odd, **box.projections}, sweep=SWEEP)
    box.install()
    worker = box.start()
    worker.says("projection odd: which dates passed cannot be read", "SQLSTATE 22012")
    until_told(box, *soon(box, 1, 1))
    box.db.sql("UPDATE odd SET per = 1")
    worker.says("projection odd: which dates passed can be read again")
    assert worker.log.count("cannot be read") == 1
