"""A projection that cannot be read any more does not stop the others, and nothing of it is lost."""
import time

import pytest

from harness import ticketing
from harness.box import projection
from harness.programs import SLOWER
from harness.waiting import until

TICKET_CARD = "SELECT t.id, t.event_id, t.price, t.sold, e.name AS event, e.starts_at FROM ticket t JOIN event e ON e.id = t.event_id"


@pytest.fixture
def running(tickets):
    """A worker of a role that may read, and no more."""
    role = f"reader_{tickets.db.name}"
    tickets.install()
    tickets.db.sql(f"""CREATE ROLE {role} LOGIN; GRANT pg_read_all_data TO {role};
                       GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA pgusher TO {role}""")
    tickets.role = role
    tickets.use(ticketing.projections(), postgres=tickets.db.conninfo(role))
    tickets.start()
    tickets.until_asleep()
    return tickets


def broken(box):
    return box.db.sql("SELECT name, error FROM pgusher.projection WHERE broken_at IS NOT NULL")


def the_other_goes_on(box, name):
    """Its changes arrive within a second."""
    began = time.monotonic()
    box.db.sql("UPDATE event SET name = %s WHERE id = 1", name)
    until(lambda: box.has("event:1", name=name), 10 * SLOWER)
    assert time.monotonic() - began < 1 * SLOWER


def change_tickets(box, number):
    box.db.sql("""UPDATE ticket SET price = 100 + %s WHERE id BETWEEN 1 AND 6; DELETE FROM ticket WHERE id = 10 + %s;
                  INSERT INTO ticket VALUES (100 + %s, 2, 5)""", number, number, number)


def comes_back(box):
    box.until(lambda: not broken(box), 20, lambda: broken(box))
    box.until_asleep(20)
    box.in_step()
    assert box.quarantined() == []


BREAKS = {
    "dropped": ("DROP VIEW ticket_card", f"CREATE VIEW ticket_card AS {TICKET_CARD}", "ticket_card"),
    "renamed": ("ALTER VIEW ticket_card RENAME id TO number", "ALTER VIEW ticket_card RENAME number TO id", '"id"'),
    "revoked": ("REVOKE pg_read_all_data FROM {role}; GRANT USAGE ON SCHEMA pgusher TO {role};"
                " GRANT SELECT ON event_card, event, ticket TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA pgusher TO {role};"
                " GRANT SELECT ON ALL SEQUENCES IN SCHEMA pgusher TO {role}", "GRANT SELECT ON ticket_card TO {role}", "ticket_card"),
    "unfilled": (f"CREATE MATERIALIZED VIEW one AS SELECT 1 WITH NO DATA; CREATE OR REPLACE VIEW ticket_card AS {TICKET_CARD} CROSS JOIN one",
                 "REFRESH MATERIALIZED VIEW one", "not been populated"),
    "foreign": ("CREATE EXTENSION postgres_fdw; CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '/nonexistent');"
                " CREATE USER MAPPING FOR PUBLIC SERVER away OPTIONS (user 'x'); CREATE FOREIGN TABLE far (one int) SERVER away;"
                f" CREATE OR REPLACE VIEW ticket_card AS {TICKET_CARD} CROSS JOIN far", f"CREATE OR REPLACE VIEW ticket_card AS {TICKET_CARD}", "08001"),
}


@pytest.mark.parametrize("how", BREAKS)
def test_the_others_go_on(running, how):
    breaking, mending, word = BREAKS[how]
    running.db.sql(breaking.format(role=running.role))
    change_tickets(running, 1)
    the_other_goes_on(running, "first")
    running.until(lambda: [name for name, _ in broken(running)] == ["ticket"], 5, lambda: broken(running))
    assert word in broken(running)[0][1]
    change_tickets(running, 2)
    the_other_goes_on(running, "second")
    running.until_caught_up()
    assert running.daemons[-1].said("projection ticket is broken") == 1
    running.db.sql(mending.format(role=running.role))
    comes_back(running)


def test_workers_die_and_come_meanwhile(running):
    """Whoever goes, whatever it skipped, the documents are right in the end."""
    running.start()
    running.daemons[-1].says("8 of 16 partitions")
    running.db.sql("DROP VIEW ticket_card")
    for number, victim in enumerate((0, 1)):
        change_tickets(running, number)
        the_other_goes_on(running, f"round {number}")
        running.daemons[victim].kill()
        change_tickets(running, 3 + number)
        running.start()
        the_other_goes_on(running, f"after {number}")
    running.db.sql(f"CREATE VIEW ticket_card AS {TICKET_CARD}; DELETE FROM ticket WHERE id = 20")
    comes_back(running)


def test_changes_skipped_while_a_backfill_runs(running):
    """What it has passed already is read again: the row says that it is another one."""
    running.db.sql("DROP VIEW ticket_card; UPDATE ticket SET price = 1 WHERE id = 1")
    running.until(lambda: broken(running), 5, "it is broken")
    asked = "SELECT asked_at, moved_at, phase, repair, position, documents FROM pgusher.backfill WHERE projection = 'ticket'"
    running.until(lambda: running.db.sql(asked), 5, "a backfill waits for it")
    running.until_caught_up()
    before = running.db.sql(asked)[0]
    running.db.sql("UPDATE ticket SET price = 2 WHERE id = 1")
    running.until_caught_up()
    assert running.db.sql(asked) == [before], "one that has not begun will see it"
    running.db.sql("UPDATE pgusher.backfill SET moved_at = now(), phase = 'rows', position = '{7}', documents = 7, paused = true")
    running.db.sql("UPDATE ticket SET price = 3 WHERE id = 1")
    running.until_caught_up()
    after = running.db.sql(asked)[0]
    assert after[0] > before[0] and after[1] > after[0] and after[2:] == ("keys", True, None, 0)
    running.db.sql("UPDATE ticket SET price = 4 WHERE id = 1")
    running.until_caught_up()
    assert running.db.sql(asked)[0] == after, "nor has this one begun"
    running.db.sql(f"CREATE VIEW ticket_card AS {TICKET_CARD}")
    comes_back(running)


def test_function_that_fails_for_every_row(running):
    """That is the rows' fault as far as anybody can tell: each goes to quarantine, and leaves it."""
    running.db.sql(f"""CREATE FUNCTION worth(numeric) RETURNS numeric LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
                       CREATE OR REPLACE VIEW ticket_card AS {TICKET_CARD.replace("t.price", "worth(t.price)::numeric(10, 2) AS price")}""")
    change_tickets(running, 1)
    running.in_step()
    for body in ("BEGIN RAISE ''no''; END", "BEGIN RETURN x FROM nowhere; END"):
        running.db.sql(f"CREATE OR REPLACE FUNCTION worth(numeric) RETURNS numeric LANGUAGE plpgsql AS '{body}'".replace("''", "''"))
        running.db.sql("UPDATE ticket SET price = price + 1 WHERE id BETWEEN 1 AND 9")
        the_other_goes_on(running, body)
        running.until(lambda: len(running.quarantined()) >= 9, 5, "each is in quarantine")
        assert broken(running) == []
        running.db.sql("CREATE OR REPLACE FUNCTION worth(numeric) RETURNS numeric LANGUAGE plpgsql AS 'BEGIN RETURN $1; END'")
        running.pgusher("quarantine", "retry").must(0)
        running.until(lambda: not running.quarantined(), 15, running.quarantined)
        running.in_step()


def test_lookup_that_does_not_work(running):
    running.db.sql("CREATE VIEW tickets_of AS SELECT id, event_id FROM ticket")
    running.projections["ticket"]["watch"]["event"]["lookup"] = "SELECT id FROM tickets_of WHERE event_id = ANY($1)"
    running.use(running.projections, postgres=running.config["postgres"])
    running.daemons[-1].reload()
    running.daemons[-1].says("adopted")
    running.db.sql("DROP VIEW tickets_of")
    the_other_goes_on(running, "first")
    running.until(lambda: "tickets_of" in str(broken(running)), 5, lambda: broken(running))
    the_other_goes_on(running, "second")
    running.db.sql("CREATE VIEW tickets_of AS SELECT id, event_id FROM ticket")
    comes_back(running)
    assert running.has("ticket:1", event="second")


def test_at_the_start_and_at_a_reload(tickets):
    tickets.ready(ticketing.projections())
    tickets.stop()
    tickets.db.sql("DROP VIEW ticket_card")
    worker = tickets.start()
    worker.says("projection ticket is broken", "ticket_card")
    the_other_goes_on(tickets, "first")
    tickets.projections["event"]["source"] = "nothing"
    tickets.use(tickets.projections)
    worker.reload()
    worker.says("reload", "refused", "nothing")
    the_other_goes_on(tickets, "second")
    tickets.use(ticketing.projections())
    tickets.db.sql(f"CREATE VIEW ticket_card AS {TICKET_CARD}; UPDATE ticket SET price = 77 WHERE id = 3")
    worker.reload()
    worker.says("adopted")
    comes_back(tickets)


def test_table_that_is_not_captured_yet(tickets):
    """What changed before the install is found, too."""
    tickets.ready(ticketing.projections())
    tickets.stop()
    tickets.db.sql("CREATE TABLE seat (id int PRIMARY KEY, ticket int); CREATE OR REPLACE VIEW ticket_card AS "
                   + TICKET_CARD.replace(" FROM", ", (SELECT count(*) FROM seat s WHERE s.ticket = t.id) AS seats FROM", 1))
    tickets.projections["ticket"]["watch"]["seat"] = "ticket"
    tickets.use(tickets.projections)
    tickets.start().says("projection ticket is broken", "pgusher install")
    tickets.db.sql("INSERT INTO seat VALUES (1, 1)")
    tickets.install()
    comes_back(tickets)
    assert tickets.has("ticket:1", seats="1")
    the_other_goes_on(tickets, "after")


def test_lookup_of_very_many_that_was_cut_short(box):
    """Nothing is left in the session that would stand in the way of the next one."""
    box.db.sql("""CREATE TABLE venue (id int PRIMARY KEY, name text); INSERT INTO venue VALUES (1, 'old');
                  CREATE TABLE event (id int PRIMARY KEY, venue_id int); INSERT INTO event SELECT n, 1 FROM generate_series(1, 2100) n""")
    by_venue = {"column": "id", "lookup": "SELECT id FROM event WHERE venue_id = ANY($1)"}
    for name in ("first", "second"):
        box.db.sql(f"CREATE VIEW {name} AS SELECT e.id, v.name FROM event e JOIN venue v ON v.id = e.venue_id")
    box.ready({name: projection(name, {"event": "id", "venue": by_venue}) for name in ("first", "second")})
    box.db.sql("DROP VIEW first; UPDATE venue SET name = 'new'")
    box.until_has("second:2100", name="new")
    box.until_caught_up()
    assert [name for name, _ in broken(box)] == ["first"] and box.quarantined() == []


def test_what_is_in_quarantine_when_it_breaks(running):
    running.db.sql("INSERT INTO pgusher.quarantine (fleet, projection, key, error) VALUES ('default', 'ticket', 'ticket:1', 'tried')")
    running.db.sql(BREAKS["unfilled"][0])
    sessions = running.daemons[-1].said("connected to postgresql and redis")
    running.pgusher("quarantine", "retry").must(0)
    running.until(lambda: broken(running), 5, "the retry found it broken")
    the_other_goes_on(running, "first")
    assert running.daemons[-1].said("connected to postgresql and redis") == sessions, "nobody had to begin anew for it"
    running.db.sql(BREAKS["unfilled"][1])
    comes_back(running)


def test_it_leaves_the_configuration(running):
    """It is forgotten, whether its shape was ever known or not."""
    running.stop()
    running.db.sql("DROP VIEW ticket_card")
    running.projections["never"] = {**running.projections["ticket"], "key": "never:{id}"}
    running.use(running.projections, postgres=running.config["postgres"])
    worker = running.start()
    running.until(lambda: len(broken(running)) == 2, 5, "both are broken")
    running.use(ticketing.event_only(), postgres=running.config["postgres"])
    worker.reload()
    worker.says("adopted")
    running.until_asleep()
    assert running.db.sql("SELECT name FROM pgusher.projection") == [("event",)]


def change_seen(box):
    box.db.sql("UPDATE ticket SET price = 77 WHERE id = 5")


def backfill(box):
    box.db.sql("""ALTER TABLE ticket DISABLE TRIGGER ALL; UPDATE ticket SET price = 77 WHERE id = 5;
                  ALTER TABLE ticket ENABLE TRIGGER ALL""")
    box.pgusher("backfill", "ticket").must(0)


@pytest.mark.parametrize("write", (change_seen, backfill))
def test_what_was_written_and_not_queued_before_it_broke(tickets, write):
    """Whoever wrote it died before it could queue it. The run that makes up for all finds it unchanged."""
    worker = tickets.ready(ticketing.projections())
    tickets.redis.client.delete("{search}")
    tickets.redis.client.set("{search}", "in the way")
    write(tickets)
    tickets.until_has("ticket:5", price="77.00")
    worker.kill()
    tickets.redis.client.delete("{search}")
    tickets.db.sql("DROP VIEW ticket_card")
    tickets.start().says("projection ticket is broken")
    tickets.until_caught_up()
    tickets.db.sql(f"CREATE VIEW ticket_card AS {TICKET_CARD}")
    comes_back(tickets)
    assert "ticket:5" in tickets.queued()


def test_a_lookup_gives_other_columns(tickets):
    """What it selects from was made anew while workers run."""
    tickets.db.sql("CREATE VIEW of_event AS SELECT id, event_id AS by FROM ticket; CREATE VIEW lead AS SELECT id FROM ticket")
    projections = ticketing.projections()
    projections["ticket"]["watch"]["event"] = {"column": "id", "lookup": "SELECT l.* FROM lead l JOIN of_event USING (id) WHERE by = ANY($1)"}
    worker = tickets.ready(projections)
    tickets.db.sql("DROP VIEW lead; CREATE VIEW lead AS SELECT id, id AS other FROM ticket; UPDATE event SET name = 'x'")
    worker.says("projection ticket is broken", "watch.event.lookup", "gives 2 columns", "has 1")
    the_other_goes_on(tickets, "y")
    tickets.db.sql("DROP VIEW lead; CREATE VIEW lead AS SELECT id FROM ticket")
    comes_back(tickets)


def test_a_reload_that_would_break_something(tickets):
    """The configuration can be read, and the database lacks what it names."""
    worker = tickets.ready(ticketing.event_only())
    tickets.use({**ticketing.event_only(), "ticket": {**ticketing.projections()["ticket"], "source": "nothing_there"}})
    worker.reload()
    worker.says("reload", "the old configuration stays in force", "nothing_there")
    the_other_goes_on(tickets, "z")
