"""The schema changes under a running worker, as it does in every deployment."""
import pytest

from harness import ticketing
from harness.box import projection

WIDER = """CREATE OR REPLACE VIEW ticket_card AS
           SELECT t.id, t.event_id, t.price, t.sold, e.name AS event, e.starts_at, e.venue_id
           FROM ticket t JOIN event e ON e.id = t.event_id"""


@pytest.fixture
def running(tickets):
    tickets.ready(ticketing.projections())
    tickets.db.sql("UPDATE ticket SET price = 2")
    tickets.until_has("ticket:27", price="2.00")
    tickets.in_step()
    return tickets


def test_view_gains_a_column(running):
    """Plans that were prepared before must not stand in the way."""
    running.db.sql(WIDER)
    running.db.sql("UPDATE ticket SET price = 3")
    running.until_has("ticket:1", price="3.00", venue_id="2")
    running.in_step()


def retyped(running, table, alteration):
    """Alters a table under views, and does what the manual says: install, then reload."""
    event, ticket = (running.db.value("SELECT pg_get_viewdef(%s::regclass)", view) for view in ("event_card", "ticket_card"))
    running.db.sql(f"""BEGIN; DROP VIEW event_card, ticket_card;
                       ALTER TABLE {table} {alteration}; CREATE VIEW event_card AS {event}
                       CREATE VIEW ticket_card AS {ticket} COMMIT""")
    running.install()
    running.daemons[-1].reload()
    running.daemons[-1].says("reload")


def test_column_changes_its_type(running):
    retyped(running, "venue", "ALTER city TYPE varchar(30), ALTER name TYPE char(20)")
    running.db.sql("UPDATE venue SET name = 'x'")
    running.until_has("event:1", seconds=20, venue="x" + " " * 19)
    running.in_step()


def test_id_becomes_wider(running):
    retyped(running, "ticket", "ALTER id TYPE bigint")
    running.db.sql("INSERT INTO ticket VALUES (5000000000, 1, 5)")
    running.until_has("ticket:5000000000", seconds=20, price="5.00")
    running.in_step()


def test_column_that_matters_is_renamed(running):
    """The view follows; so far the trigger knows no such column, and takes every change for one that matters."""
    running.db.sql("ALTER TABLE venue RENAME city TO town; UPDATE venue SET town = 'Ulm'")
    running.until_has("event:1", city="Ulm")
    running.install()
    before = running.changes()
    running.db.sql("UPDATE venue SET note = 'of no matter'")
    assert running.changes() == before
    running.db.sql("UPDATE venue SET town = 'Bonn'")
    running.until_has("event:1", city="Bonn")
    running.in_step()


def test_view_is_away_for_a_while(running):
    """Nothing is lost and no good document ends in quarantine for it."""
    definition = running.db.value("SELECT pg_get_viewdef('ticket_card'::regclass)")
    running.db.sql("DROP VIEW ticket_card; UPDATE ticket SET price = 6")
    running.daemons[-1].says("ticket_card")
    running.db.sql(f"CREATE VIEW ticket_card AS {definition}")
    running.until_has("ticket:27", seconds=40, price="6.00")
    running.in_step()
    assert running.quarantined() == []


def test_table_is_renamed(running):
    """The view follows; so do the triggers."""
    running.db.sql("ALTER TABLE ticket RENAME TO seat; UPDATE seat SET price = 7")
    running.until_has("ticket:27", seconds=20, price="7.00")
    running.in_step()


def test_keys_become_wider_and_nobody_installs_or_reloads(box):
    """Without a view in between nothing tells a worker so, but that the new keys do not fit what it has prepared, or would prepare."""
    box.db.sql("""CREATE TABLE venue (id int PRIMARY KEY); CREATE TABLE event (id int PRIMARY KEY, venue int, name text); CREATE INDEX ON event (venue);
                  INSERT INTO venue VALUES (1); INSERT INTO event VALUES (1, 1, 'one')""")
    box.ready({"event": projection("event", {"event": "id", "venue": {
        "column": "id", "lookup": "SELECT id FROM event WHERE venue = ANY($1)"}})})
    box.db.sql("UPDATE venue SET id = 2; UPDATE event SET venue = 2")
    box.in_step()
    box.db.sql("""ALTER TABLE venue ALTER id TYPE bigint; ALTER TABLE event ALTER venue TYPE bigint; ALTER TABLE event ALTER id TYPE bigint;
                  INSERT INTO venue VALUES (5000000000)""")
    box.until_caught_up()
    box.db.sql("INSERT INTO event SELECT 5000000000 + n, 5000000000, 'new' FROM generate_series(1, 5) n")
    box.until_has("event:5000000005", seconds=20, name="new")
    box.in_step()
    assert box.quarantined() == []
    box.daemons[-1].says("column id is now bigint, and was integer")
    box.daemons[-1].stop()
    box.start()
    box.until_asleep()
    box.db.sql("ALTER TABLE event ALTER id TYPE numeric; INSERT INTO event VALUES (50000000000000000000, 2, 'newer')")
    box.until_has("event:50000000000000000000", seconds=20, name="newer")
    box.in_step()
    assert box.quarantined() == []


def test_types_change_under_sessions_of_the_application(box):
    """PL/pgSQL keeps the types of a session's first call, and a pool's sessions live for days: they must go on writing, and be captured."""
    work = """INSERT INTO item SELECT n, date '2026-01-01' + (n % 1000)::int, 'name' FROM generate_series({0}, {0} + 3) n;
              UPDATE item SET name = name || '!' WHERE id = {0}; UPDATE item SET id = -id WHERE id = {0} + 1; DELETE FROM item WHERE id = {0} + 2"""
    view = "CREATE VIEW item_card AS SELECT id, day, name FROM item"
    box.db.sql(f"CREATE TABLE item (id int, day date, name varchar, memo int, PRIMARY KEY (id, day)); {view}")
    box.ready({"item": projection("item_card", {"item": ["id", "day"]}, id=["id", "day"])})
    box.db.sql(work.format(10))
    box.in_step()
    box.db.sql(f"BEGIN; DROP VIEW item_card; ALTER TABLE item ALTER id TYPE bigint, ALTER name TYPE text; {view}; COMMIT")
    before = box.changes()
    box.db.sql(work.format(5000000000))
    assert box.changes() == before + 8
    box.in_step()
    assert box.hash("item_card:5000000001:2026-01-02") is None and box.quarantined() == []


KEYS = ["", " ", ",", '"', '""', "\\", '\\"', '",', "(a,b)", "a b", "é\n\t", "NULL", "{}", "'"]


def test_keys_of_every_kind_are_logged_though_types_changed(box):
    view = "CREATE VIEW item_card AS SELECT id, site, memo FROM item"
    box.db.sql(f"CREATE TABLE item (gone int, memo int, id text, site text, PRIMARY KEY (site, id)); ALTER TABLE item DROP gone; {view}")
    box.ready({"item": projection("item_card", {"item": ["site", "id"]}, id=["site", "id"])})
    box.db.sql("INSERT INTO item VALUES (1, 'first', 'here')")
    box.db.sql(f"BEGIN; DROP VIEW item_card; ALTER TABLE item ALTER memo TYPE bigint, ALTER site TYPE varchar(50); {view}; COMMIT")
    for key in KEYS:
        box.db.sql("INSERT INTO item VALUES (NULL, %s, %s)", key, key)
    logged = "SELECT keys FROM pgusher.changelog ORDER BY seq DESC LIMIT %s"
    assert sorted(keys for keys, in box.db.sql(logged, len(KEYS))) == sorted([key, key] for key in KEYS)
    box.db.sql("UPDATE item SET id = id || '.'; DELETE FROM item WHERE site IN (',', '\"')")
    box.in_step()


@pytest.mark.parametrize("by", ["a change", "a backfill"])
def test_columns_trade_places_before_a_statement_is_prepared(box, by):
    """The worker, which has read nothing of the view yet, must not take one for the other."""
    box.db.sql("CREATE TABLE item (id int PRIMARY KEY, a text, b text); CREATE VIEW card AS SELECT a, id, b FROM item")
    box.db.sql("INSERT INTO item SELECT n, 10 + n, 20 + n FROM generate_series(1, 9) n")
    box.ready({"item": projection("card", {"item": "id"}, key="i:{id}")})
    box.db.sql("DROP VIEW card; CREATE VIEW card AS SELECT id, b, a FROM item")
    if by == "a change":
        box.db.sql("UPDATE item SET a = 0")
        box.until_caught_up()
    else:
        box.pgusher("backfill", "--wait").must(0, "9 documents, done")
    box.until_asleep()
    assert sorted(box.redis.client.scan_iter("i:*")) == [b"i:%d" % number for number in range(1, 10)]
    assert box.hash("i:1") == {"id": "1", "a": "0" if by == "a change" else "11", "b": "21"}
    box.in_step()
    assert box.quarantined() == []


def test_columns_of_a_view_in_another_order(running):
    """Documents are as they should be, but for their digest: what is told of that is no accusation, and its mend mends."""
    running.pgusher("verify", "event").must(0)
    card = running.db.value("SELECT pg_get_viewdef('event_card'::regclass)")
    running.db.sql(f"DROP VIEW event_card; CREATE VIEW all_of_it AS {card} CREATE VIEW event_card AS SELECT cheapest, open, city, venue, starts_at, name, id FROM all_of_it")
    running.pgusher("verify", "event").must(1, "9 version", "the columns of event_card stood in another order then; run: pgusher backfill event")
    running.pgusher("backfill", "event", "--wait").must(0)
    running.pgusher("verify", "event").must(0, "in step")
