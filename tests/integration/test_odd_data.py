"""Ids, columns and values that are rare, and what must not happen with them."""
import pytest

from harness.box import projection


@pytest.mark.parametrize("type, value, text", [
    ("boolean", "true", "t"), ("char(5)", "ab", "ab   "), ("inet", "10.0.0.1", "10.0.0.1"),
    ("date", "2026-03-01", "2026-03-01"), ("bytea", "\\x00ff", "\\x00ff")])
def test_a_removed_id_of_any_type_is_found(box, type, value, text):
    box.db.sql(f"CREATE TABLE item (id {type} PRIMARY KEY, n int)")
    box.ready({"item": projection("item", {"item": "id"}, key="i:{id}", queues=["{search}"])})
    box.db.sql("INSERT INTO item VALUES (%s, 1)", value)
    box.until_has(f"i:{text}", n="1")
    box.drain()
    box.db.sql("SET datestyle = 'German'; SET bytea_output = 'escape'; DELETE FROM item")
    box.until_gone(f"i:{text}")
    box.until_caught_up()
    assert box.queued() == [f"i:{text}"]


@pytest.fixture
def stock(box):
    box.db.sql("CREATE TABLE stock (site text, sku text, qty int, PRIMARY KEY (site, sku))")
    box.ready({"stock": projection("stock", {"stock": ["site", "sku"]}, id=["site", "sku"], key="stock:{site}:{sku}")})
    return box


def test_removing_an_ambiguous_id_leaves_the_document_it_looks_like(stock):
    stock.db.sql("INSERT INTO stock VALUES ('a', 'b:c', 1)")
    stock.until_has("stock:a:b:c", qty="1")
    stock.db.sql("INSERT INTO stock VALUES ('a:b', 'c', 2)")
    stock.until(lambda: stock.quarantined(), 5, "the ambiguous one is quarantined")
    stock.db.sql("DELETE FROM stock WHERE site = 'a:b'")
    stock.until_caught_up()
    assert stock.has("stock:a:b:c", qty="1")


def test_null_in_a_composite_id_is_no_document(box):
    box.db.sql("""CREATE TABLE line (a int, b int, n int);
                  CREATE VIEW line_card AS SELECT a, b, n FROM line;
                  INSERT INTO line SELECT n / 100, n % 100, 1 FROM generate_series(1, 1500) n;
                  INSERT INTO line VALUES (1, NULL, 1), (15, NULL, 1), (NULL, 1, 1)""")
    box.use({"line": projection("line_card", {"line": ["a", "b"]}, id=["a", "b"], key="line:{a}:{b}")})
    box.install()
    box.pgusher("backfill").must(0)
    assert len(list(box.redis.client.scan_iter("line:*", count=5000))) == 1500
    box.start()
    box.until_asleep()
    box.db.sql("UPDATE line SET n = 2")
    box.until_has("line:15:0", n="2")


def test_columns_that_change_places_are_noticed(box):
    box.db.sql("""CREATE TABLE item (id int PRIMARY KEY, first text, second text);
                  INSERT INTO item VALUES (1, 'one', 'two');
                  CREATE VIEW item_card AS SELECT id, first AS x, second AS y FROM item""")
    box.ready({"item": projection("item_card", {"item": "id"}, key="i:{id}")})
    box.db.sql("UPDATE item SET first = 'eins'")
    box.until_has("i:1", x="eins", y="two")
    box.db.sql("""ALTER VIEW item_card RENAME x TO z; ALTER VIEW item_card RENAME y TO x;
                  ALTER VIEW item_card RENAME z TO y; UPDATE item SET first = 'uno'""")
    box.until_has("i:1", seconds=10, y="uno", x="two")
    box.in_step()


def test_a_lookup_that_fails_for_one_value_stops_nobody(box):
    box.db.sql("""CREATE TABLE tag (name text PRIMARY KEY, note text); CREATE TABLE item (id int PRIMARY KEY, note text);
                  INSERT INTO item VALUES (1), (2)""")
    by_tag = {"column": "name", "lookup": "SELECT id FROM item WHERE id = ANY ($1::text[]::int[])"}
    box.ready({"item": projection("item", {"item": "id", "tag": by_tag}, key="i:{id}")})
    box.db.sql("INSERT INTO tag VALUES ('1'), ('abc'), ('2'); UPDATE item SET note = 'x'")
    box.until_has("i:2", note="x")
    box.until_caught_up()
    assert [(name, key) for name, key, _ in box.quarantined()] == [("item", "watch tag name=abc")]


def test_an_error_text_cut_within_a_character(box):
    box.db.sql("""CREATE TABLE item (id int PRIMARY KEY, word text);
                  CREATE VIEW item_card AS SELECT id, word::int AS number FROM item""")
    box.ready({"item": projection("item_card", {"item": "id"}, key="i:{id}")})
    for shift in range(3):
        box.db.sql("INSERT INTO item VALUES (%s, %s)", shift, "x" * shift + "演" * 400)
    box.db.sql("INSERT INTO item VALUES (9, '9')")
    box.until_has("i:9", number="9")
    box.until_caught_up()
    assert len(box.quarantined()) == 3


def test_another_fleets_install_changes_the_keys_beneath_a_worker(tickets, tmp_path):
    """The table's changes get another meaning: the worker must read its plan again, not skip them."""
    tickets.ready(tickets.projections)
    other = {"venue": projection("event", {"event": ["id"], "ticket": ["sold"]}, key="other:{id}")}
    tickets.use(other, fleet="other")
    tickets.install()
    tickets.db.sql("UPDATE event SET name = 'after' WHERE id = 1; UPDATE ticket SET price = 77 WHERE event_id = 2")
    tickets.until_has("event:1", seconds=10, name="after")
    tickets.until(lambda: any(tickets.redis.client.hget(key, "price") == b"77.00"
                              for key in tickets.redis.client.scan_iter("ticket:*")), 10, "the ticket is fresh")


def test_a_hash_that_is_not_ours_survives_a_truncate(box):
    box.db.sql("CREATE TABLE item (id text PRIMARY KEY)")
    box.ready({"item": projection("item", {"item": "id"}, key="i:{id}")})
    box.db.sql("INSERT INTO item VALUES ('a')")
    box.until_has("i:a", id="a")
    box.redis.client.hset("i:theirs", "field", "value")
    box.db.sql("TRUNCATE item")
    box.until_gone("i:a")
    box.until_caught_up()
    assert box.redis.client.hget("i:theirs", "field") == b"value"


def test_a_resync_that_died_queues_what_it_removed(tickets):
    """The keys are gone from Redis, only their tombstones tell what the index must still hear of."""
    tickets.install()
    tickets.pgusher("backfill").must(0)
    done = tickets.db.value("SELECT pg_current_snapshot()")
    tickets.db.sql("TRUNCATE ticket")
    tickets.once()
    tickets.drain()
    tickets.rewind(done)
    tickets.once()
    assert len([item for item in tickets.queued() if item.startswith("ticket:")]) == 27

