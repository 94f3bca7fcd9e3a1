"""The index beside documents of "rows": "many": whoever dies, falls behind or tampers, no document is left that has no row."""
import random

import pytest

from harness.locales import LOCALES, everywhere, follow, index_key, indexed, keys, prepare, take_queued
from harness.queue import script
from harness.waiting import until


@pytest.fixture
def world(box):
    prepare(box)
    return box


def test_killed_before_it_queued(world):
    """It had removed what it did not queue: the index knows it still."""
    worker = follow(world)
    world.redis.client.set("{search}", "no list")
    world.db.sql("DELETE FROM locale WHERE code = 'l3'")
    until(lambda: worker.said("trying again") and not keys(world, "happening:*:l3"), 10)
    assert "happening:1:l3" in indexed(world, 1)
    worker.kill()
    world.redis.client.delete("{search}")
    world.start()
    world.in_step()
    assert set(everywhere("l3")) <= set(take_queued(world)) and "happening:1:l3" not in indexed(world, 1)


def test_killed_before_it_put(world):
    """It had noted what it did not put, and now has no row."""
    worker = follow(world)
    world.redis.client.config_set("maxmemory", 1)
    world.db.sql("INSERT INTO locale VALUES ('xx')")
    until(lambda: "happening:9:xx" in indexed(world, 9), 10)
    worker.kill()
    assert not keys(world, "happening:*:xx")
    world.db.sql("DELETE FROM locale WHERE code = 'xx'")
    world.redis.client.config_set("maxmemory", 0)
    world.start()
    world.in_step()
    assert len(indexed(world, 9)) == LOCALES


def test_a_ghost_put_by_hand(world):
    """Found by SCAN, whether or not there is an index, by a backfill that repairs and after a TRUNCATE."""
    def haunt():
        for number, locale in ((3, "zz"), (4, "yy"), (77, "zz"), (78, "l1")):
            world.redis.client.hset(f"happening:{number}:{locale}", mapping={"_v": 1, "title": "by hand"})
        world.redis.client.delete(index_key(4), index_key(5))

    follow(world)
    haunt()
    world.db.sql("TRUNCATE translation")
    world.in_step()
    assert {"happening:3:zz", "happening:4:yy", "happening:77:zz", "happening:78:l1"} <= set(take_queued(world))
    world.stop()
    haunt()
    world.db.sql("INSERT INTO pgusher.backfill (fleet, projection, reason, repair, phase)"
                 " VALUES ('default', 'happening', 'a test', true, 'keys')")
    world.once()
    assert not world.differences() and len(indexed(world, 4)) == len(indexed(world, 5)) == LOCALES
    assert not indexed(world, 77) and not indexed(world, 78)


def test_each_id_is_read_once_by_a_repair(world):
    """However often SCAN finds its keys."""
    def rows_read():
        return world.db.cluster.admin(f"""SELECT coalesce(sum(rows), 0)::int FROM pg_stat_statements s
            JOIN pg_database d ON d.oid = s.dbid WHERE datname = '{world.db.name}' AND query LIKE '%UNION ALL%happening_card%'""")

    world.db.sql("INSERT INTO happening SELECT n, n FROM generate_series(10, 200) n")
    world.once()
    before = rows_read()[0][0]
    world.db.sql("INSERT INTO pgusher.backfill (fleet, projection, reason, repair, phase)"
                 " VALUES ('default', 'happening', 'a test', true, 'keys')")
    world.once()
    assert 2 * 200 * LOCALES <= rows_read()[0][0] - before < 2.1 * 200 * LOCALES, "once for its keys, once for itself"


def test_two_workers_that_die(world):
    """Random changes; one of the two is killed now and then."""
    chance = random.Random(7)
    workers = [world.start(), world.start()]
    workers[1].says("2 workers")
    for turn in range(60):
        code, number = f"r{chance.randrange(5)}", chance.randrange(1, 20)
        world.db.sql(chance.choice([
            f"INSERT INTO locale VALUES ('{code}') ON CONFLICT DO NOTHING", f"DELETE FROM locale WHERE code = '{code}'",
            f"INSERT INTO translation VALUES ({number}, 'l2', '{turn}') ON CONFLICT DO NOTHING", "DELETE FROM translation",
            f"DELETE FROM happening WHERE id = {number}",
            f"INSERT INTO happening VALUES ({number}, '{turn}') ON CONFLICT (id) DO UPDATE SET name = excluded.name"]))
        if turn % 12 == 11:
            workers.pop(0).kill()
            workers.append(world.start())
            workers[1].says("2 workers")
    world.in_step(30)
    for number in range(1, 20):
        assert indexed(world, number) == keys(world, f"happening:{number}:*")


def call(client, name, key, *arguments):
    return client.eval(script(name), 1, key, *arguments)[0]


def test_the_slower_of_two_owners(redis_server):
    """Who read an older snapshot is not told what a newer one yielded, and does not have it forgotten."""
    client, key = redis_server.client, "pgusher:rows:h:1:*"
    assert call(client, "rows", key, 10, "", 2, "h:1:a", "h:1:b") == []
    assert call(client, "rows", key, 20, "", 2, "h:1:b", "h:1:c") == [b"h:1:a"]
    assert call(client, "rows", key, 15, "", 1, "h:1:d") == [b"h:1:a"], "b and c are newer"
    assert client.hgetall(key) == {b"h:1:a": b"10", b"h:1:b": b"20", b"h:1:c": b"20", b"h:1:d": b"15"}
    assert [call(client, "rows_forget", key, f"h:1:{name}", 15) for name in "abcdx"] == [1, 0, 0, 1, 0]
    assert call(client, "rows", key, 20, "", 0) == [b"h:1:b", b"h:1:c"], "the same version, as a source may depend on the clock"
    assert [call(client, "rows_suspect", key, 1000, since, 1, "h:1:b") for since in (20, 21)] == [0, 1]
    assert call(client, "rows_suspect", "pgusher:rows:h:2:*", 60000, 0, 1, "h:2:z") == 0
    assert 0 < client.pttl("pgusher:rows:h:2:*") <= 60000 and client.ttl(key) == -1
