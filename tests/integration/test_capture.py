"""What the triggers write: which changes become documents' changes, for any table."""
import pytest

from harness import ticketing
from harness.box import projection
from harness.waiting import until


def test_ticket_moved_to_another_event_changes_both(tickets):
    tickets.ready(ticketing.event_only())
    tickets.drain()
    tickets.db.sql("UPDATE ticket SET event_id = 2 WHERE event_id = 1")
    tickets.until_has("event:1", open="0")
    tickets.until_has("event:2", open="6")
    tickets.in_step()
    assert sorted(tickets.queued()) == ["event:1", "event:2"]


def test_changed_id_removes_the_old_document(tickets):
    tickets.ready(ticketing.projections())
    tickets.db.sql("UPDATE ticket SET id = 1000 WHERE id = 1")
    tickets.until_has("ticket:1000", id="1000")
    tickets.in_step()
    assert {"ticket:1", "ticket:1000"} <= set(tickets.queued())


def test_venue_changes_all_its_events(tickets):
    tickets.ready(ticketing.event_only())
    tickets.drain()
    tickets.db.sql("UPDATE venue SET name = 'Opera' WHERE id = 2")
    tickets.until_has("event:1", venue="Opera")
    tickets.in_step()
    assert sorted(tickets.queued()) == ["event:1", "event:4", "event:7"]


def test_composite_id_and_watch(box):
    box.db.sql("""CREATE TABLE stock (site text, sku int, qty int, PRIMARY KEY (site, sku));
                  CREATE TABLE site (name text PRIMARY KEY, region text);
                  INSERT INTO site VALUES ('a', 'north'), ('b', 'south');
                  INSERT INTO stock SELECT s, n, 1 FROM unnest('{a,b}'::text[]) s, generate_series(1, 3) n;
                  CREATE VIEW stock_card AS SELECT s.*, region FROM stock s JOIN site ON name = site""")
    by_site = {"column": "name", "lookup": "SELECT site, sku FROM stock WHERE site = ANY($1)"}
    box.ready({"stock": projection("stock_card", {"stock": ["site", "sku"], "site": by_site}, id=["site", "sku"],
                                   key="stock:{site}:{sku}", queues=["{search}"])})
    box.drain()
    box.db.sql("UPDATE stock SET qty = 7 WHERE (site, sku) = ('a', 2)")
    box.until_has("stock:a:2", qty="7", region="north")
    box.db.sql("UPDATE stock SET site = 'b', sku = 9 WHERE (site, sku) = ('a', 1)")
    box.until_has("stock:b:9", region="south")
    box.in_step()
    assert sorted(box.queued()) == ["stock:a:1", "stock:a:2", "stock:b:9"]
    box.db.sql("UPDATE site SET region = 'east' WHERE name = 'b'")
    box.until_has("stock:b:1", region="east")
    box.in_step()


@pytest.mark.parametrize("statement", [
    "UPDATE event SET memo = 'x'",
    "UPDATE ticket SET memo = 'x'",
    "UPDATE venue SET note = 'x'",
    "UPDATE event SET name = name, starts_at = starts_at",
    "UPDATE event SET name = 'x' WHERE id = -1",
    "BEGIN; UPDATE event SET name = 'x'; ROLLBACK",
])
def test_what_no_document_shows_writes_no_change(tickets, statement):
    tickets.install()
    tickets.db.sql(statement)
    assert tickets.changes() == 0


@pytest.mark.parametrize("statement, changes", [
    ("UPDATE event SET name = 'x' WHERE id = 1", 1),
    ("UPDATE ticket SET price = 1 WHERE event_id = 1", 3),
    ("INSERT INTO event VALUES (10, 1, 'x')", 1),
    ("DELETE FROM ticket WHERE id = 1", 1),
])
def test_one_change_is_one_row(tickets, statement, changes):
    """One row for each changed row, however many projections and watches need it."""
    tickets.use(ticketing.event_only())
    tickets.install()
    tickets.db.sql(statement)
    assert tickets.changes() == changes


@pytest.mark.parametrize("statement", [
    "COPY event (id, venue_id, name) FROM PROGRAM 'echo 100,1,c' CSV",
    "INSERT INTO event VALUES (1, 1, 'c') ON CONFLICT (id) DO UPDATE SET name = excluded.name",
    "MERGE INTO event e USING (VALUES (1), (100)) v (id) ON e.id = v.id"
    " WHEN MATCHED THEN UPDATE SET name = 'c' WHEN NOT MATCHED THEN INSERT VALUES (v.id, 1, 'c')",
    "WITH moved AS (DELETE FROM ticket WHERE id = 1 RETURNING *) INSERT INTO ticket SELECT 99, 3, price FROM moved",
    "DO $$BEGIN FOR n IN 1..100 LOOP BEGIN UPDATE event SET name = 'n' || n WHERE id = 1 + n % 9;"
    " EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END$$",
])
def test_every_kind_of_statement(tickets, statement):
    tickets.ready(ticketing.projections())
    before = tickets.changes()
    tickets.db.sql(statement)
    assert tickets.changes() > before
    tickets.in_step()


def test_null_in_a_watched_column(box):
    box.db.sql("""CREATE TABLE owner (id int PRIMARY KEY); CREATE TABLE pet (id int PRIMARY KEY, owner int);
                  INSERT INTO owner VALUES (1), (2);
                  CREATE VIEW owner_card AS SELECT o.id, (SELECT count(*) FROM pet WHERE owner = o.id) AS pets FROM owner o""")
    box.ready({"owner": projection("owner_card", {"owner": "id", "pet": "owner"}, key="owner:{id}", queues=["{search}"])})
    box.drain()
    box.db.sql("INSERT INTO pet VALUES (1, NULL), (2, 1)")
    box.until_has("owner:1", pets="1")
    box.db.sql("UPDATE pet SET owner = 2 WHERE id = 1; UPDATE pet SET owner = NULL WHERE id = 2; DELETE FROM pet WHERE id = 2")
    box.until_has("owner:2", pets="1")
    box.until_has("owner:1", pets="0")
    box.in_step()
    assert set(box.queued()) == {"owner:1", "owner:2"}


def test_keys_that_are_equal_but_not_the_same(box):
    """The texts differ, so two documents change; where the key is as it was, or NULL, one row is enough."""
    box.db.sql("CREATE TABLE page (n numeric, hits int); INSERT INTO page VALUES (1.0, 1), (NULL, 1)")
    box.db.sql("CREATE TABLE part (n int, hits int); INSERT INTO part VALUES (NULL, 1); CREATE VIEW part_card AS SELECT n AS id, hits FROM part")
    box.use({"page": projection("page", {"page": "n"}, id="n"), "part": projection("part_card", {"part": "n"})})
    box.install()
    box.db.sql("UPDATE page SET n = 1.00 WHERE n = 1; UPDATE page SET hits = 2; UPDATE part SET hits = 2")
    assert box.db.sql("SELECT keys FROM pgusher.changelog ORDER BY capture, keys") == [
        (["1.0"],), (["1.00"],), (["1.00"],), ([None],), ([None],)]


def test_truncate_of_a_joined_table(tickets):
    tickets.ready(ticketing.projections())
    tickets.db.sql("TRUNCATE ticket")
    tickets.until_gone("ticket:1")
    tickets.in_step()
    assert tickets.hash("event:1")["open"] == "0"
    assert {f"ticket:{n}" for n in range(1, 28)} <= set(tickets.queued())


def test_truncate_of_everything(tickets):
    tickets.ready(ticketing.projections())
    tickets.drain()
    tickets.db.sql("TRUNCATE venue CASCADE")
    tickets.until_gone("event:1")
    tickets.in_step()
    assert ticketing.document_keys(tickets.redis.client) == []
    assert len(set(tickets.queued())) == 9 + 27


def test_truncate_of_many_beside_changes(market):
    """What a TRUNCATE leaves to do is done beside live changes, by whoever is there."""
    worker = market.ready(ticketing.projections())
    market.drain()
    market.db.sql("CREATE FUNCTION slow() RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.0005); END'")
    market.db.sql("""CREATE OR REPLACE VIEW ticket_card AS SELECT t.* FROM (%s) t, LATERAL (SELECT slow()) s""" %
                  market.db.value("SELECT rtrim(pg_get_viewdef('ticket_card'::regclass), ';')"))
    market.db.sql("BEGIN; CREATE TEMP TABLE kept AS SELECT * FROM ticket WHERE id % 2 = 0; TRUNCATE ticket;"
                  "INSERT INTO ticket SELECT * FROM kept; COMMIT")
    market.until(lambda: market.db.value("SELECT count(*) FROM pgusher.backfill WHERE projection = 'ticket' AND repair"), 20, "a task")
    market.db.sql("UPDATE event SET name = 'meanwhile' WHERE id = 7")
    market.until_has("event:7", 20, name="meanwhile")
    assert market.db.value("SELECT count(*) FROM pgusher.backfill WHERE projection = 'ticket'")
    worker.kill()
    market.start()
    market.in_step(60)
    gone = {f"ticket:{number}" for number in range(1, 6000, 2)}
    assert gone <= set(market.queued()), "what went is queued"


def test_truncate_and_refill_in_one_transaction(tickets):
    tickets.ready(ticketing.projections())
    tickets.db.sql("BEGIN; TRUNCATE ticket; INSERT INTO ticket VALUES (1, 1, 99), (500, 2, 98); COMMIT")
    tickets.until_has("ticket:500", price="98.00")
    tickets.in_step()
    assert len(ticketing.document_keys(tickets.redis.client)) == 9 + 2


def test_table_in_another_schema(box):
    box.db.sql("""CREATE SCHEMA shop; CREATE TABLE shop.item (id int PRIMARY KEY, name text);
                  CREATE TABLE public.item (id int PRIMARY KEY, name text);
                  CREATE VIEW shop.item_card AS SELECT * FROM shop.item""")
    box.ready({"item": projection("shop.item_card", {"shop.item": "id"}, key="item:{id}")})
    box.db.sql("INSERT INTO shop.item VALUES (1, 'right'); INSERT INTO public.item VALUES (2, 'wrong')")
    box.until_has("item:1", name="right")
    box.in_step()


def test_search_path_of_the_role(box):
    """Unqualified names mean what the configured role's search_path finds, whoever writes."""
    box.db.sql(f"""CREATE SCHEMA app; CREATE TABLE app.thing (id int PRIMARY KEY, name text);
                   CREATE TABLE app.part (id int PRIMARY KEY, thing int);
                   ALTER DATABASE {box.db.name} SET search_path = app""")
    box.db.disconnect()
    lookup = {"column": "id", "lookup": "SELECT thing FROM part WHERE id = ANY($1)"}
    box.ready({"thing": projection("thing", {"thing": "id", "part": lookup})})
    box.db.sql("SET search_path = pg_catalog; INSERT INTO app.thing VALUES (1, 'x'); SET search_path = app")
    box.until_has("thing:1", name="x")
    box.in_step()


def test_quoted_names(box):
    box.db.sql('''CREATE TABLE "Listing" ("Id" int PRIMARY KEY, "Price in EUR" int, "say ""hi""" text, "naïve$1" text);
                  CREATE TABLE listing ("Id" int PRIMARY KEY);
                  CREATE VIEW "Listing Card" AS SELECT * FROM "Listing"''')
    box.ready({"Listing": projection("Listing Card", {"Listing": "Id"}, id="Id", key="listing of {Id}!",
                                     queues=["{search}"])})
    box.db.sql("""INSERT INTO "Listing" VALUES (5, 10, 'x', 'y')""")
    box.until_has("listing of 5!", **{"Price in EUR": "10", 'say "hi"': "x", "naïve$1": "y"})
    box.db.sql('''UPDATE "Listing" SET "say ""hi""" = 'z', "Price in EUR" = 11''')
    box.until_has("listing of 5!", **{"Price in EUR": "11", 'say "hi"': "z"})
    box.in_step()
    assert box.queued() == ["listing of 5!"]


AWKWARD = ["plain", "a b", "it's", 'say "hi"', "back\\slash", "a,b", "{a}", "NULL", "", "日本", "a:b", "%s $1", "tab\tline\n"]


def test_text_ids_of_any_content(box):
    box.db.sql("CREATE TABLE page (slug text PRIMARY KEY, hits int)")
    box.ready({"page": projection("page", {"page": "slug"}, id="slug", key="page:{slug}", queues=["{search}"])})
    box.db.sql("INSERT INTO page SELECT s, 1 FROM unnest(%s) s", AWKWARD)
    until(lambda: len(box.queued()) >= len(AWKWARD), what=box.queued)
    box.in_step()
    assert sorted(box.queued()) == sorted("page:" + slug for slug in AWKWARD)
    box.db.sql("UPDATE page SET hits = 2")
    box.until_has("page:{a}", hits="2")
    box.in_step()
    box.db.sql("DELETE FROM page")
    box.until_gone("page:{a}")
    box.in_step()


def test_uuid_ids_through_a_lookup(box):
    box.db.sql("""CREATE TABLE person (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), team uuid, name text);
                  CREATE TABLE team (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text);
                  INSERT INTO team (name) VALUES ('red'), ('blue');
                  INSERT INTO person (team, name) SELECT id, 'p' || n FROM team, generate_series(1, 3) n;
                  CREATE VIEW person_card AS
                  SELECT p.id, p.name, t.name AS team FROM person p LEFT JOIN team t ON t.id = p.team""")
    by_team = {"column": "id", "lookup": "SELECT id FROM person WHERE team = ANY($1)"}
    box.ready({"person": projection("person_card", {"person": "id", "team": by_team}, key="person:{id}")})
    box.db.sql("UPDATE team SET name = 'green' WHERE name = 'red'")
    someone = box.db.value("SELECT id FROM person_card WHERE team = 'green' LIMIT 1")
    box.until_has(f"person:{someone}", team="green")
    box.db.sql("DELETE FROM person WHERE name = 'p1'")
    until(lambda: len(box.redis.client.keys("person:*")) == 4)
    box.in_step()


def test_id_of_other_types(box):
    """Dates and numbers: the key is the pinned text form, and the text leads back to the row."""
    box.db.sql("""CREATE TABLE day (d date, n numeric, hits int, PRIMARY KEY (d, n));
                  INSERT INTO day VALUES ('2024-02-29', 1.50, 0)""")
    box.ready({"day": projection("day", {"day": ["d", "n"]}, id=["d", "n"], key="day:{d}:{n}")})
    box.db.sql("SET DateStyle = 'German'; UPDATE day SET hits = 3; RESET DateStyle")
    box.until_has("day:2024-02-29:1.50", hits="3")
    box.in_step()


def test_row_inserted_again_after_delete(tickets):
    tickets.ready(ticketing.projections())
    tickets.db.sql("DELETE FROM ticket WHERE id = 1")
    tickets.until_gone("ticket:1")
    tickets.db.sql("INSERT INTO ticket VALUES (1, 1, 77)")
    tickets.until_has("ticket:1", price="77.00")
    tickets.in_step()


def test_two_projections_of_one_table(box):
    box.db.sql("""CREATE TABLE item (id int PRIMARY KEY, name text, price int);
                  CREATE VIEW name_card AS SELECT id, name FROM item;
                  CREATE VIEW price_card AS SELECT id, price FROM item""")
    box.ready({"name": projection("name_card", {"item": "id"}, key="name:{id}", queues=["{names}"]),
               "price": projection("price_card", {"item": "id"}, key="price:{id}", queues=["{prices}"])})
    box.db.sql("INSERT INTO item VALUES (1, 'a', 1)")
    until(lambda: box.drain("{names}") == ["name:1"])
    until(lambda: box.drain("{prices}") == ["price:1"])
    box.db.sql("UPDATE item SET price = 2")
    box.until_has("price:1", price="2")
    box.in_step()
    assert box.drain("{names}") == [], "an unchanged document is not queued"
