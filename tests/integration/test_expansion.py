"""From one changed row to its documents, when they are very many or their keys look alike."""
import pytest

from harness.box import projection
from harness.programs import SANITIZED


@pytest.fixture
def arena(box):
    """One venue with 100,000 events."""
    box.db.sql("""CREATE TABLE venue (id int PRIMARY KEY, name text);
                  CREATE TABLE event (id int PRIMARY KEY, venue_id int);
                  CREATE VIEW event_card AS SELECT e.id, v.name AS venue FROM event e JOIN venue v ON v.id = venue_id;
                  INSERT INTO venue VALUES (1, 'Arena'), (2, 'Club');
                  INSERT INTO event SELECT n, 1 FROM generate_series(1, 100000) n;
                  INSERT INTO event VALUES (100001, 2);
                  CREATE INDEX ON event (venue_id);
                  ANALYZE""")
    by_venue = {"column": "id", "lookup": "SELECT id FROM event WHERE venue_id = ANY($1)"}
    box.use({"event": projection("event_card", {"event": "id", "venue": by_venue}, key="event:{id}",
                                 queues=["{search}"])})
    box.install()
    return box


def test_one_row_changes_a_hundred_thousand_documents(arena):
    worker = arena.start()
    arena.until_asleep()
    arena.db.sql("UPDATE venue SET name = name || ' renamed'")
    arena.in_step(60)
    assert arena.redis.client.llen("{search}") == 100_001
    assert arena.hash("event:100001")["venue"] == "Club renamed"
    assert SANITIZED or worker.peak_kb() < 32 * 1024


@pytest.fixture
def alike(box):
    """Keys of b look like keys of a, whose id is any text."""
    box.db.sql("CREATE TABLE a (id text PRIMARY KEY, n int); CREATE TABLE b (id text PRIMARY KEY, n int)")
    box.ready({"a": projection("a", {"a": "id"}, key="k:{id}"), "b": projection("b", {"b": "id"}, key="k:b:{id}")})
    return box


def test_a_key_belongs_to_the_more_exact_form(alike):
    alike.db.sql("INSERT INTO a VALUES ('1', 1); INSERT INTO b VALUES ('1', 2)")
    alike.until_has("k:1", n="1")
    alike.until_has("k:b:1", n="2")
    alike.db.sql("INSERT INTO a VALUES ('b:1', 3)")
    alike.until(lambda: alike.quarantined(), 5, "the document without a key of its own is quarantined")
    assert alike.quarantined()[0][:2] == ("a", "k:b:1")
    alike.db.sql("DELETE FROM a WHERE id = 'b:1'")
    alike.until_caught_up()
    assert alike.hash("k:b:1") == {"id": "1", "n": "2"}


def test_truncate_of_one_leaves_the_other(alike):
    alike.db.sql("INSERT INTO a VALUES ('1', 1); INSERT INTO b VALUES ('1', 2)")
    alike.until_has("k:b:1", n="2")
    alike.db.sql("TRUNCATE a")
    alike.until_gone("k:1")
    alike.until_caught_up()
    assert alike.hash("k:b:1") == {"id": "1", "n": "2"}
