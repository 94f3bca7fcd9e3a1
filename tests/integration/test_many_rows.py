"""One id, several rows, a document each: "rows": "many"."""
import pytest

from harness.box import projection
from harness.locales import LOCALES, everywhere, follow, index_key, indexed, keys, prepare, take_queued
from harness.programs import SLOWER
from harness.waiting import until


@pytest.fixture
def world(box):
    prepare(box)
    follow(box)
    return box


def digests(box):
    return {key: box.redis.client.hget(key, "_d") for key in keys(box)}


def test_a_locale_comes_and_goes(world):
    """Every event gets a 35th document and loses it again; both are queued, the others are not touched."""
    before = digests(world)
    assert len(before) == 9 * LOCALES
    world.db.sql("INSERT INTO locale VALUES ('xx')")
    world.in_step()
    after = digests(world)
    assert after.keys() == before.keys() | set(everywhere("xx")) and before.items() <= after.items()
    assert take_queued(world) == everywhere("xx")
    world.db.sql("DELETE FROM locale WHERE code = 'xx'")
    world.in_step()
    assert take_queued(world) == everywhere("xx") and digests(world) == before
    assert indexed(world, 3) == keys(world, "happening:3:*") and len(indexed(world, 3)) == LOCALES


def test_a_translation_an_event_and_all_locales(world):
    """Changed, deleted, moved, truncated."""
    before = digests(world)
    world.db.sql("INSERT INTO translation VALUES (3, 'l7', 'drittes')")
    world.until_has("happening:3:l7", title="drittes")
    world.in_step()
    assert take_queued(world) == ["happening:3:l7"]
    assert {key for key, digest in digests(world).items() if before[key] != digest} == {"happening:3:l7"}

    world.db.sql("DELETE FROM happening WHERE id = 3; UPDATE happening SET id = 77 WHERE id = 4")
    world.in_step()
    assert len(keys(world)) == 8 * LOCALES
    assert {key.rsplit(":", 1)[0] for key in take_queued(world)} == {f"happening:{number}" for number in (3, 4, 77)}
    assert not indexed(world, 3) and not indexed(world, 4) and len(indexed(world, 77)) == LOCALES

    world.db.sql("TRUNCATE locale; INSERT INTO locale VALUES ('l1')")
    world.in_step()
    assert len(keys(world)) == 8 and len(take_queued(world)) == 8 * (LOCALES - 1)


def test_more_ids_than_are_read_at_a_time(world):
    world.db.sql("DELETE FROM locale WHERE code > 'l1'; INSERT INTO happening SELECT n, n FROM generate_series(10, 1234) n")
    world.in_step()
    world.db.sql("INSERT INTO locale VALUES ('xx')")
    world.in_step()
    assert len(keys(world, "happening:*:xx")) == 1234
    world.redis.client.flushall()
    world.until(lambda: len(keys(world)) == 2 * 1234, 20, "it is filled again")
    world.in_step()
    world.db.sql("DELETE FROM locale WHERE code = 'xx'")
    world.in_step()


def test_large_documents(world):
    """They are put while the rest of their ids is still being read."""
    world.db.sql("UPDATE happening SET name = repeat('x', 200000)")
    world.in_step(30)
    assert SLOWER > 1 or world.daemons[0].peak_kb() < 64 * 1024


def test_dates(box):
    """Documents expire each at its date, and the index of their id behind the last of them."""
    day = 86400
    box.db.sql("CREATE TABLE part (id int, nr int, at timestamptz); INSERT INTO part"
               " VALUES (1, 1, now() + interval '5 days'), (1, 2, now() + interval '9 days'), (1, 3, now() - interval '1 day')")
    box.ready({"part": projection("part", {"part": "id"}, key="part:{nr}:{id}", rows="many", expire_at="at")})

    def index_days():
        return box.redis.client.ttl("pgusher:rows:part:*:1") / day

    assert sorted(keys(box, "part:*")) == ["part:1:1", "part:2:1"] and 9.9 < index_days() < 10.1
    box.db.sql("UPDATE part SET at = now() + interval '2 days'")
    box.in_step()
    assert len(keys(box, "part:*")) == 3 and 9.9 < index_days() < 10.1, "never earlier"
    box.db.sql("UPDATE part SET at = now() + interval '20 days' WHERE nr = 3")
    box.in_step()
    assert 20.9 < index_days() < 21.1
    box.db.sql("UPDATE part SET at = NULL WHERE nr = 1")
    box.in_step()
    assert box.redis.client.ttl("pgusher:rows:part:*:1") == -1


def test_awkward_keys(box):
    """Several id columns in another order, values that are no good in a key; what can be done is done."""
    box.db.sql("""
        CREATE TABLE item (site text, sku text, lang text, words text);
        CREATE UNIQUE INDEX ON item (site, sku, lang);
        INSERT INTO item VALUES ('a', 'x', 'de', 'w'), ('a', 'x', 'en', 'w'), ('a', '*', '*', 'w'), ('', '', '', 'w'),
                                ('ü"\\,{}', 'y', 'de', 'w')""")
    box.ready({"item": projection("item", {"item": ["site", "sku"]}, id=["site", "sku"], key="item:{lang}/{sku}:{site}",
                                  rows="many")})
    box.in_step()
    box.db.sql("INSERT INTO item VALUES ('a', 'x', 'fr/ch', 'w'), ('a', 'x', NULL, 'w'), ('b', 'y:z', 'de', 'w')")
    box.until_caught_up()
    assert [key for _, key, _ in box.quarantined()] == ["item:*/x:a", "item:de/y:z:b", "item:fr/ch/x:a"]
    assert [word in error for word, (_, _, error) in zip(("NULL", "separates", "separates"), box.quarantined())] == [True] * 3
    box.db.sql("UPDATE item SET lang = 'fr' WHERE lang IS NULL; DELETE FROM item WHERE lang IN ('fr/ch', 'en') OR site = 'b'")
    box.in_step()
    assert "item:*/x:a" not in [key for _, key, _ in box.quarantined()]


def test_what_cannot_be_read_or_written(world):
    """One id fails in SQL, the index of another one is a string, the source yields a key twice."""
    world.redis.client.set(index_key(4), "x")
    world.db.sql("""
        CREATE OR REPLACE VIEW happening_card AS
            SELECT h.id, l.code AS locale, CASE WHEN h.id = 5 THEN (1 / (h.id - 5))::text ELSE h.name || n END AS title, h.at
            FROM happening h, locale l, generate_series(1, 1 + (h.id = 6 AND l.code = 'l9')::int) n;
        UPDATE happening SET name = 'new'""")
    world.until_caught_up()
    found = {key: error for _, key, error in world.quarantined()}
    assert sorted(found) == ["happening:4:*", "happening:5:*", "happening:6:l9"]
    assert "WRONGTYPE" in found["happening:4:*"] and "division" in found["happening:5:*"] and "several" in found["happening:6:l9"]
    assert world.has("happening:3:l1", title="new1") and world.has("happening:5:l1", title="event 5")
    assert world.has("happening:4:l1", title="event 4"), "nothing is put that the index does not know"
    world.redis.client.delete(index_key(4))
    world.db.sql("""
        CREATE OR REPLACE VIEW happening_card AS
            SELECT h.id, l.code AS locale, h.name AS title, h.at FROM happening h, locale l;
        UPDATE happening SET name = 'newer'""")
    world.in_step()
    assert world.quarantined() == []


def test_what_cannot_be_removed(world):
    """It stays known, and in quarantine, until it can."""
    world.redis.client.delete("happening:3:l7")
    world.redis.client.set("happening:3:l7", "by hand")
    world.db.sql("DELETE FROM locale WHERE code = 'l7'")
    world.until_caught_up()
    assert [key for _, key, _ in world.quarantined()] == ["happening:3:l7"]
    assert "happening:3:l7" in indexed(world, 3) and "happening:4:l7" not in indexed(world, 4)
    world.redis.client.delete("happening:3:l7")
    world.db.sql("UPDATE happening SET name = 'new'")
    world.in_step()
    assert "happening:3:l7" not in indexed(world, 3) and world.quarantined() == []


def test_what_is_too_large_stays_as_it_was(box):
    prepare(box)
    box.redis.client.config_set("proto-max-bulk-len", "1mb")
    follow(box)
    box.db.sql("INSERT INTO translation VALUES (3, 'l7', repeat('x', 2000000)), (3, 'l8', 'new')")
    box.until_has("happening:3:l8", title="new")
    box.until_caught_up()
    assert [key for _, key, _ in box.quarantined()] == ["happening:3:l7"]
    assert box.has("happening:3:l7", title="event 3") and "happening:3:l7" in indexed(box, 3)


def test_check_of_the_key(box):
    box.db.sql("CREATE TABLE part (id int, number int)")
    box.use({"part": projection("part", {"part": "id"}, key="part:{id}:{numbr}", rows="many")})
    box.pgusher("check").must(78, "projections.part.key", '"numbr"', 'did you mean "number"')
    box.use({"part": projection("part", {"part": "id"}, key="part:{id}:{number}", rows="many")})
    box.db.sql("INSERT INTO part VALUES (1, 1), (1, 2)")
    box.pgusher("check").must(0)
    box.db.sql("INSERT INTO part VALUES (1, 2)")
    box.pgusher("check").must(78, "projections.part.key", "not unique", "tell the rows apart")


def test_in_a_cluster(box, three):
    """Documents of one id, and their index, in several slots."""
    box.redis = three
    prepare(box)
    assert {three.slot_owner(f"happening:1:l{number}") for number in range(1, LOCALES)} == {0, 1, 2}
    follow(box)
    box.db.sql("INSERT INTO locale VALUES ('xx'); DELETE FROM locale WHERE code = 'l7'; DELETE FROM happening WHERE id = 2")
    box.in_step()
    assert set(everywhere("xx") + everywhere("l7")) - {"happening:2:xx"} <= set(take_queued(box))
    three.client.hset("happening:3:zz", mapping={"_v": 1, "title": "by hand"})
    box.db.sql("TRUNCATE translation")
    until(lambda: not three.client.exists("happening:3:zz"), 10 * SLOWER)
    box.in_step()
    box.stop()
