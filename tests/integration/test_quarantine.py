"""What cannot be built: it is put aside with its reason, tried again, seen and handled by the operator."""
import json

import pytest

from harness import ticketing
from harness.box import projection
from harness.relay import Relay
from harness.waiting import stays

BROKEN = """CREATE OR REPLACE VIEW event_card AS
            SELECT e.id, e.name, e.starts_at, v.name AS venue, v.city, t.open / (CASE WHEN e.id IN (7, 1500, 2999) THEN 0 ELSE 1 END) AS open,
                   t.cheapest
            FROM event e JOIN venue v ON v.id = e.venue_id
            CROSS JOIN LATERAL (SELECT count(*) AS open, min(price) AS cheapest FROM ticket WHERE event_id = e.id AND NOT sold) t"""


def test_a_user_who_may_not_write_is_no_fault_of_documents(tickets):
    """None is put aside; it is said loudly, and done when it may be done. Each Redis has its own words for it inside a script."""
    worker = tickets.ready(ticketing.projections())
    tickets.redis.client.execute_command("ACL", "SETUSER", "default", "-restore")
    tickets.db.sql("UPDATE event SET name = 'x'")
    worker.says("level=error", "script", seconds=30)
    stays(lambda: not tickets.quarantined(), 1)
    tickets.redis.client.execute_command("ACL", "SETUSER", "default", "+restore")
    tickets.until_has("event:9", name="x", seconds=30)
    tickets.in_step()


def test_three_of_many_fail_until_the_view_is_mended(market):
    """Nobody does anything about the three but mending the view."""
    whole = market.db.value("SELECT pg_get_viewdef('event_card'::regclass)")
    market.db.sql(BROKEN)
    market.install()
    market.start()
    market.until_asleep(30)
    assert [(row[:2], "division by zero" in row[2]) for row in market.quarantined()] == [
        (("event", f"event:{number}"), True) for number in (1500, 2999, 7)]
    assert len(list(market.redis.client.scan_iter("event:*", count=5000))) == market.db.value("SELECT count(*) FROM event") - 3
    market.db.sql(f"CREATE OR REPLACE VIEW event_card AS {whole}")
    market.until(lambda: not market.quarantined(), 15, market.quarantined)
    market.in_step()
    assert {"event:7", "event:1500", "event:2999"} <= set(market.queued())


PART = {"part": projection("part_card", {"part": "id"}, key="part:{id}", queues=["{search}"])}


def create_parts(box):
    box.db.sql("""CREATE TABLE part (id int PRIMARY KEY, divisor int, note text);
                  INSERT INTO part SELECT n, n FROM generate_series(1, 20) n;
                  CREATE VIEW part_card AS SELECT id, 100 / divisor AS share, note FROM part""")


def parts_with(box):
    create_parts(box)
    box.ready(PART)


def fail_two(box):
    box.db.sql("UPDATE part SET divisor = 0 WHERE id IN (3, 4)")
    box.until(lambda: len(box.quarantined()) == 2, 5, "both are in quarantine")


@pytest.fixture
def parts(box):
    """A view that fails for two rows."""
    parts_with(box)
    fail_two(box)
    return box


def rows(box, *arguments):
    found = json.loads(box.pgusher("quarantine", "list", *arguments, "--json").must(0).out)
    return {row["key"]: row for row in found["quarantine"]}


def due_in_an_hour(box):
    box.db.sql("UPDATE pgusher.quarantine SET next_at = now() + interval '1 h'")


def mend_unseen(box):
    """The rows are whole again, and no change says so."""
    box.db.sql("ALTER TABLE part DISABLE TRIGGER ALL; UPDATE part SET divisor = 5 WHERE divisor = 0; ALTER TABLE part ENABLE TRIGGER ALL")


def test_attempts_are_counted_and_further_and_further_apart(parts):
    parts.until(lambda: rows(parts)["part:3"]["attempts"] >= 2, 10, "it is tried again")
    row = rows(parts)["part:3"]
    assert row["last_at"] > row["first_at"] and "division by zero" in row["error"] and row["configured"]
    for attempts, least, most in ((2, 6, 10), (7, 192, 320), (30, 225, 375)):
        parts.db.sql("UPDATE pgusher.quarantine SET attempts = %s, next_at = now() WHERE key = 'part:3'", attempts)
        parts.pgusher("quarantine", "retry").must(0)
        parts.until(lambda: rows(parts)["part:3"]["attempts"] == attempts + 1, 5, "one attempt more")
        assert least * 1000 - 2000 < rows(parts)["part:3"]["next_ms"] <= most * 1000
    assert parts.daemons[-1].said("part:3", "goes to quarantine") == 1, "what is tried again is not said again"


def test_operator_lists_retries_and_drops(parts):
    due_in_an_hour(parts)
    parts.pgusher("quarantine", "list").must(0, "part:3", "part:4", "division by zero", "in 60.0 min")
    assert set(rows(parts, "part", "3")) == set(rows(parts, "part", "part:3")) == {"part:3"}
    mend_unseen(parts)
    stays(lambda: len(parts.quarantined()) == 2, 0.5, "nobody tries before it is due")
    parts.pgusher("quarantine", "retry", "part", "3").must(0, "1 in quarantine")
    parts.until_has("part:3", share="20")
    parts.until(lambda: len(parts.quarantined()) == 1, 5, "it left the quarantine")
    assert "part:3" in parts.queued()
    parts.pgusher("quarantine", "drop", "part").must(0, "1 forgotten", "as they are")
    assert parts.quarantined() == [] and parts.has("part:4", share="25")
    parts.pgusher("quarantine", "list").must(0, "nothing")


@pytest.mark.parametrize("arguments, code, words", [
    (("retry", "part", "9"), 1, ["part", "nothing"]), (("drop", "part", "part:9"), 1, ["nothing"]), (("list", "part", "9"), 1, ["nothing"]),
    (("list", "prat"), 1, ["did you mean", "part"]), (("lsit",), 64, ["did you mean", "list"]), ((), 64, ["list, retry or drop"]),
    (("drop", "--json"), 64, ["--json"]), (("list", "--rate", "5"), 64, ["--rate"])])
def test_wrong_arguments(box, arguments, code, words):
    box.db.sql("CREATE TABLE part (id int PRIMARY KEY)")
    box.use({"part": projection("part", {"part": "id"})})
    box.install()
    box.pgusher("quarantine", *arguments).must(code, *words)


def test_list_without_a_server(box):
    box.use({"part": projection("part", {"part": "id"})}, postgres="host=/nonexistent")
    box.pgusher("quarantine", "list").must(69, "PostgreSQL")
    box.use({"part": projection("part", {"part": "id"})})
    box.pgusher("quarantine", "list").must(78, "pgusher install")


def test_another_worker_takes_over(box):
    """It began before there was anything, and put nothing there itself."""
    parts_with(box)
    box.start()
    box.daemons[-1].says("8 of 16 partitions")
    fail_two(box)
    parts = box
    parts.daemons[0].kill()
    mend_unseen(parts)
    parts.until(lambda: not parts.quarantined(), 15, parts.quarantined)
    parts.until_has("part:4", share="20")


def test_what_another_worker_found_meanwhile_stays(box):
    """One has read the document and has yet to write it, when the other, who reads it later, finds that it cannot be built."""
    relay = Relay(box.redis.socket)
    try:
        create_parts(box)
        box.use(PART)
        box.config["redis"] = relay.redis_url
        box.write(json.dumps(box.config))
        box.install()
        box.start()
        box.until_asleep()
        fail_two(box)
        due_in_an_hour(box)
        box.until_asleep()
        relay.stall()
        before = box.db.value("SELECT clock_timestamp()")
        box.db.sql("UPDATE part SET divisor = 5 WHERE id = 3")
        box.until(lambda: box.db.value("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%part_card%%' AND state = 'idle'"
                                       " AND query_start > %s AND pid <> pg_backend_pid()", before), 5, "it was read")
        box.db.sql("UPDATE pgusher.quarantine SET last_at = now(), error = 'later' WHERE key = 'part:3'")
        relay.resume()
        box.until_has("part:3", share="20")
        box.until_caught_up()
        assert "later" in str(box.quarantined())
        box.db.sql("UPDATE part SET note = 'more' WHERE id = 3")
        box.until(lambda: len(box.quarantined()) == 1, 5, box.quarantined)
    finally:
        box.stop()
        relay.stop()


def test_document_that_was_removed_leaves(parts):
    parts.db.sql("ALTER TABLE part DISABLE TRIGGER ALL; DELETE FROM part WHERE id = 3; ALTER TABLE part ENABLE TRIGGER ALL")
    parts.pgusher("quarantine", "retry").must(0)
    parts.until(lambda: len(parts.quarantined()) == 1, 5, "the removed one is gone")
    assert not parts.redis.client.exists("part:3")


def test_projection_that_is_no_more(parts):
    due_in_an_hour(parts)
    parts.db.sql("UPDATE pgusher.quarantine SET projection = 'former' WHERE key = 'part:3'")
    parts.pgusher("quarantine", "list", "former").must(0, "no such projection any more")
    assert rows(parts)["part:3"]["configured"] is False
    parts.pgusher("quarantine", "retry", "former").must(1, "quarantine drop former")
    parts.pgusher("quarantine", "drop", "former").must(0, "1 forgotten")


def test_lookup_that_failed_is_tried_again(box):
    box.db.sql("""CREATE TABLE tag (name text PRIMARY KEY, item text); CREATE TABLE item (id int PRIMARY KEY, note text);
                  INSERT INTO item VALUES (1), (2);
                  CREATE VIEW item_card AS SELECT i.id, i.note, t.name FROM item i JOIN tag t ON t.item = i.id::text""")
    by_tag = {"column": "name", "lookup": "SELECT item::int FROM tag WHERE name = ANY ($1)"}
    box.ready({"item": projection("item_card", {"item": "id", "tag": by_tag}, key="i:{id}")})
    box.db.sql("CREATE TABLE long AS SELECT string_agg(md5(n::text), '') AS name FROM generate_series(1, 300) n")
    box.db.sql("INSERT INTO tag VALUES ('a', '1'), ('b', 'none'); ALTER TABLE tag DROP CONSTRAINT tag_pkey")
    box.until_has("i:1", name="a")
    box.until(lambda: rows(box), 5, "the lookup is in quarantine")
    assert {key: (row["watch"], row["id"]) for key, row in rows(box).items()} == {"watch tag name=b": ("tag", ["b"])}
    box.db.sql("INSERT INTO tag SELECT name, 'none' FROM long")
    box.until_caught_up()
    box.until(lambda: len(rows(box)) == 2, 5, "what no index row holds is there, too")
    box.db.sql("DELETE FROM tag WHERE length(name) > 1")
    box.until(lambda: len(rows(box)) == 1, 15, "and leaves")
    box.db.sql("ALTER TABLE tag DISABLE TRIGGER ALL; UPDATE tag SET item = '2' WHERE name = 'b'; ALTER TABLE tag ENABLE TRIGGER ALL")
    box.until_has("i:2", seconds=15, name="b")
    box.until(lambda: not box.quarantined(), 5, box.quarantined)


def test_ambiguous_document_is_not_taken_for_another(box):
    """Its key turned back is another document's id, which can be built."""
    box.db.sql("CREATE TABLE stock (site text, sku text, qty int, PRIMARY KEY (site, sku))")
    box.ready({"stock": projection("stock", {"stock": ["site", "sku"]}, id=["site", "sku"], key="stock:{site}:{sku}")})
    box.db.sql("INSERT INTO stock VALUES ('a', 'b:c', 1), ('a:b', 'c', 2)")
    box.until_has("stock:a:b:c", qty="1")
    box.until(lambda: rows(box, "stock", "a:b", "c")["stock:a:b:c"]["attempts"] > 1, 10, "it stays, and is tried again")
    box.db.sql("UPDATE stock SET qty = 3 WHERE site = 'a'")
    box.until_has("stock:a:b:c", qty="3")
    assert rows(box)
    box.db.sql("DELETE FROM stock WHERE site = 'a:b'")
    box.until(lambda: not box.quarantined(), 10, box.quarantined)
    assert box.has("stock:a:b:c", qty="3")


def test_what_redis_refuses_comes_when_it_takes_it(parts):
    parts.pgusher("quarantine", "drop").must(0)
    parts.redis.client.delete("part:9")
    parts.redis.client.set("part:9", "in the way")
    parts.db.sql("UPDATE part SET note = 'after' WHERE id IN (9, 10)")
    parts.until_has("part:10", note="after")
    parts.until(lambda: "WRONGTYPE" in str(rows(parts, "part", "9")), 5, "it is in quarantine")
    parts.redis.client.delete("part:9")
    parts.until_has("part:9", seconds=10, note="after")


def test_value_that_redis_does_not_take(box):
    """It would hang up at it, again and again."""
    box.redis.client.config_set("proto-max-bulk-len", 1 << 20)
    box.db.sql("CREATE TABLE item (id int PRIMARY KEY, text text)")
    box.ready({"item": projection("item", {"item": "id"}, key="i:{id}")})
    box.db.sql("INSERT INTO item SELECT n, repeat('x', n * 1000000) FROM generate_series(1, 2) n")
    box.until(lambda: "proto-max-bulk-len" in str(rows(box)), 5, "the longer one is in quarantine")
    box.until_caught_up()
    assert box.redis.client.hstrlen("i:1", "text") == 1000000
    box.db.sql("UPDATE item SET text = 'short' WHERE id = 2")
    box.until_has("i:2", text="short")
    box.until(lambda: not box.quarantined(), 5, box.quarantined)


def test_without_notifications_it_is_tried_again_all_the_same(box):
    """As behind a transaction pooler: the worker hears neither of what it put there itself nor of what the operator asks for."""
    relay = Relay(f"{box.db.cluster.folder}/.s.PGSQL.5432")
    try:
        relay.deafen()
        create_parts(box)
        box.use(PART, postgres=f"{relay.conninfo} dbname={box.db.name} user=postgres")
        box.install()
        worker = box.start()
        worker.says("NOTIFY does not reach")
        worker.says("backfill of part is done")
        fail_two(box)
        mend_unseen(box)
        box.until(lambda: not box.quarantined(), 12, box.quarantined)
        fail_two(box)
        due_in_an_hour(box)
        mend_unseen(box)
        box.pgusher("quarantine", "retry").must(0)
        box.until(lambda: not box.quarantined(), 12, box.quarantined)
        box.in_step()
    finally:
        box.stop()
        relay.stop()
