"""A projection's shape changes, in the configuration or under it: the worker says what is to be done, PostgreSQL remembers it,
and the command that it names does it."""
import pytest

from harness import ticketing

WIDER = """CREATE OR REPLACE VIEW ticket_card AS
           SELECT t.id, t.event_id, t.price, t.sold, e.name AS event, e.starts_at, e.venue_id
           FROM ticket t JOIN event e ON e.id = t.event_id"""


@pytest.fixture
def running(tickets):
    tickets.worker = tickets.ready(ticketing.projections())
    return tickets


def stale(box, name):
    return box.db.value("SELECT stale FROM pgusher.projection WHERE name = %s", name)


def former(box):
    return box.db.sql("SELECT projection, key, id FROM pgusher.former ORDER BY 1, 2")


def warnings(worker):
    return worker.said("level=warn", "projection ")


def reload(box, **changes):
    """Adopts a configuration: projections by name, None: it is gone."""
    projections = ticketing.projections()
    for name, change in changes.items():
        if change is None:
            del projections[name]
        else:
            projections.setdefault(name, {}).update(change)
    box.use(projections)
    box.install()
    before = box.worker.said("configuration is adopted")
    box.worker.reload()
    box.until(lambda: box.worker.said("configuration is adopted") > before, 10, "the new configuration")
    box.until_asleep()


def restart(box):
    box.worker.stop()
    box.worker = box.start()
    box.until_asleep()


def backfill(box, *projections):
    box.pgusher("backfill", *projections, "--wait").must(0)


def test_nothing_is_said_when_nothing_changed(running):
    restart(running)
    running.db.sql(running.db.value("SELECT 'CREATE OR REPLACE VIEW ticket_card AS ' || pg_get_viewdef('ticket_card'::regclass)"))
    running.db.sql("ALTER TABLE ticket ADD COLUMN unseen text")
    running.db.sql("UPDATE ticket SET price = 3")
    running.until_has("ticket:1", price="3.00")
    reload(running)
    assert not warnings(running.worker) and not stale(running, "ticket") and not stale(running, "event")
    assert not former(running) and running.db.value("SELECT count(*) FROM pgusher.projection WHERE shape IS NOT NULL") == 2


def test_a_column_that_the_source_gained_and_lost_again(running):
    definition = running.db.value("SELECT pg_get_viewdef('ticket_card'::regclass)")
    running.db.sql(WIDER)
    running.db.sql("UPDATE ticket SET price = 3 WHERE id = 1")
    running.until_has("ticket:1", price="3.00", venue_id="2")
    text = "column venue_id was added: documents written before lack it; run: pgusher backfill ticket"
    assert stale(running, "ticket") == text and running.worker.said("level=warn", "projection ticket", text) == 1
    assert "venue_id" not in running.hash("ticket:2"), "that is for the operator to ask for"
    restart(running)
    assert running.worker.said("level=warn", text) == 1, "it is said at every start until it is done"
    backfill(running, "ticket")
    assert running.hash("ticket:2")["venue_id"] and stale(running, "ticket") is None
    running.worker.stop()
    running.db.sql(f"DROP VIEW ticket_card; CREATE VIEW ticket_card AS {definition}")
    running.worker = running.start()
    running.until(lambda: stale(running, "ticket"), 10, "noticed at the start")
    assert "column venue_id was removed: documents written before have it still" in stale(running, "ticket")
    backfill(running)
    assert stale(running, "ticket") is None
    running.until_asleep()
    running.db.sql(WIDER)
    backfill(running, "ticket")
    assert running.hash("ticket:2")["venue_id"], "asked for before any worker noticed the change"
    running.in_step()


def test_a_backfill_of_some_documents_or_asked_for_before_is_none(running):
    reload(running, event={"expire_grace": "20 days"})
    assert stale(running, "event").startswith("expire_grace is now 1728000 s, and was 864000 s")
    running.pgusher("backfill", "event", "--where", "id < 5", "--wait").must(0)
    assert stale(running, "event")
    running.db.sql("UPDATE pgusher.projection SET stale_at = now() + interval '1 hour' WHERE name = 'event'")
    backfill(running, "event")
    assert stale(running, "event")


def test_another_key(running):
    reload(running, event={"key": "e:{id}"})
    assert stale(running, "event") == "the key is now e:{id}, and was event:{id}; run: pgusher backfill event"
    assert running.worker.said("level=warn", "keys of the former form event:{id} stay", "pgusher verify event --repair")
    assert former(running) == [("event", "event:{id}", ["id"])]
    backfill(running, "event")
    assert running.hash("e:9") and running.hash("event:9") and stale(running, "event") is None
    reload(running)
    assert former(running) == [("event", "e:{id}", ["id"])], "what is in use again is no former form"
    running.redis.client.delete(*running.redis.client.keys("e:*"))
    backfill(running, "event")
    running.in_step()


def test_several_changes_add_up(running):
    reload(running, ticket={"expire_grace": "1 day"})
    reload(running, ticket={"expire_grace": "2 days"})
    words = stale(running, "ticket")
    assert "is now 86400 s" in words and "is now 172800 s" in words and words.count("; run: pgusher backfill ticket") == 1


def test_another_queue(running):
    reload(running, event={"queues": ["{mail}"]})
    assert running.worker.said("level=warn", "queue {mail} is new", "pgusher-queue push '{mail}' - --later") == 1
    assert running.worker.said("level=warn", "queue {search} is told no more") == 1 and stale(running, "event") is None
    restart(running)
    assert not warnings(running.worker)


def test_a_projection_goes_and_comes(running):
    reload(running, ticket=None)
    assert running.worker.said("level=warn", "projection ticket was removed", "ticket:{id}", "pgusher verify --repair") == 1
    assert former(running) == [("ticket", "ticket:{id}", ["id"])] and running.hash("ticket:9")
    running.db.sql("UPDATE ticket SET price = 7; DELETE FROM ticket WHERE id = 9")
    running.until_caught_up()
    reload(running)
    assert running.worker.said("projection ticket is new") == 1 and not former(running)
    running.until_has("ticket:27", price="7.00", seconds=10)
    running.until_gone("ticket:9")
    running.in_step()


def test_a_worker_with_the_old_configuration_does_not_answer_back(running):
    """It is told the new one later; until then its sessions come and go."""
    old = running.worker
    reload(running, ticket={"expire_grace": "1 day"})
    running.use(ticketing.projections())
    other = running.start()
    running.until(lambda: other.said("2 workers; 8 of 16"), 10, "both at work")
    assert "is now 0 s" in stale(running, "ticket")

    def sessions():
        return [worker.said("connected to postgresql and redis") for worker in (old, other)]
    for _ in range(2):
        before = sessions()
        running.db.sql("""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                          WHERE application_name LIKE 'pgusherd%' AND datname = current_database()""")
        running.until(lambda before=before: all(map(int.__gt__, sessions(), before)), 20, "sessions opened anew")
        running.until(running.asleep, 20, "both rest")
    assert (warnings(old), warnings(other)) == (1, 1)


def test_backfill_after_each_of_several_changes_of_the_source(running):
    """No live change says that the plan is stale."""
    for column in ("venue_id", "starts_at AS again"):
        running.db.sql(running.db.value("""SELECT format('CREATE OR REPLACE VIEW ticket_card AS SELECT c.*, (SELECT ' || %s || ' FROM event e WHERE e.id = c.event_id)
                                                          FROM (%%s) c', rtrim(pg_get_viewdef('ticket_card'::regclass), ';'))""", "e." + column))
        backfill(running, "ticket")
    assert {"venue_id", "again"} <= set(running.hash("ticket:2"))
