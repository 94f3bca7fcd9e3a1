"""docs/operations.md: every command of it is run in the situation it is for, and prints what the page says."""
import signal

import pytest

from harness import playbook, ticketing
from harness.queue import Native, enqueue

PAGE = "docs/operations.md"
SECTIONS = {heading: steps for heading, steps in playbook.sections(PAGE).items() if steps}
SITUATIONS = {}


def situation(heading):
    def keep(function):
        SITUATIONS[heading] = function
        return function
    return keep


def as_it_is(_):
    """Nothing has happened yet."""


for usual in ["A page shows an old or wrong document", "Somebody changed Redis by hand", "Is the cache right at all?", "Redis was emptied"]:
    situation(usual)(as_it_is)


@situation("Everything is to be written again, gently")
def many_events(shop):
    shop.db.sql("CALL grow(10, 2000)")
    shop.db.sql("ANALYZE")


@situation("A document cannot be built")
def one_event_fails(shop):
    view = shop.db.value("SELECT pg_get_viewdef('event_card'::regclass)")
    shop.db.sql(f"CREATE OR REPLACE VIEW event_card AS {view.replace('t.open,', 't.open / (e.id - 7) * (e.id - 7) AS open,')}")
    shop.db.sql("UPDATE event SET name = 'Seven' WHERE id = 7")
    shop.until(shop.quarantined, 10, "event 7 is in quarantine")


@situation("A view was dropped, or a column renamed")
def no_view(shop):
    shop.db.sql("DROP VIEW ticket_card; UPDATE ticket SET price = 3 WHERE id = 1")
    shop.until(lambda: shop.db.value("SELECT count(*) FROM pgusher.projection WHERE broken_at IS NOT NULL"), 15, "ticket is broken")


@situation("A column was added to a view")
def one_column_more(shop):
    view = shop.db.value("SELECT pg_get_viewdef('event_card'::regclass)")
    shop.db.sql(f"CREATE OR REPLACE VIEW event_card AS {view.replace('t.cheapest', 't.cheapest, upper(e.name) AS title', 1)}")
    shop.daemons[-1].process.send_signal(signal.SIGHUP)
    shop.until(lambda: shop.db.value("SELECT count(*) FROM pgusher.projection WHERE stale IS NOT NULL"), 10, "the shape is noticed")


@situation("An event is over, and its page is gone or still there")
def over(shop):
    shop.db.sql("UPDATE event SET starts_at = now() - interval '11 days' WHERE id = 5")
    shop.until_gone("event:5")


@situation("A queue grows")
def nobody_consumes(shop):
    enqueue(shop.redis.client, *(f"event:{number}" for number in range(1, 10)))


@situation("There are dead letters")
def dead_letters(shop):
    enqueue(shop.redis.client, "event:3", "event:4")
    consumer = Native(shop.redis.client)
    consumer.reserve(2)
    consumer.bury("event:3", "event:4", reason="mapping: field open is no number")


@situation("The search index was lost")
def index_lost(shop):
    shop.db.sql("UPDATE event SET name = 'Waits already' WHERE id = 2")
    shop.until(lambda: shop.queued() == ["event:2", "ticket:6", "ticket:5", "ticket:4"] or len(shop.queued()) == 4, 5, shop.queued)


@situation("No worker is running")
def stopped(shop):
    shop.stop()
    shop.db.sql("UPDATE event SET name = 'Later' WHERE id = 2")


@situation("A worker hangs")
def hangs(shop):
    shop.daemons[-1].process.send_signal(signal.SIGSTOP)
    shop.db.sql("UPDATE event SET name = 'Later' WHERE id = 2")
    shop.until(lambda: shop.pgusher("status").code == 1, 60, lambda: shop.pgusher("status").out, every=0.5)


@situation("Redis or PostgreSQL is down")
def redis_away(shop):
    shop.redis.stop()


@situation("The changelog grows")
def a_fleet_that_will_not_come_back(shop):
    shop.use(shop.projections, fleet="old")
    shop.install()
    shop.use(shop.projections)
    shop.db.sql("UPDATE ticket SET price = price + 1")
    shop.until_caught_up()


@situation("A view reads a table that no watch covers")
def not_covered(shop):
    del shop.config["projections"]["event"]["watch"]["venue"]
    shop.use(shop.projections)


@situation("Triggers are gone, or do not fit the configuration")
def no_trigger(shop):
    name = shop.db.value("SELECT tgname FROM pg_trigger WHERE tgrelid = 'event'::regclass AND tgname LIKE 'pgusher%%' LIMIT 1")
    shop.db.sql(f'DROP TRIGGER "{name}" ON event')


@situation("Redis is nearly full, or throws documents away")
def evicting(shop):
    shop.redis.client.config_set("maxmemory-policy", "allkeys-lru")


def test_every_section_has_its_situation():
    assert sorted(SITUATIONS) == sorted(SECTIONS) and len(SECTIONS) >= 15


@pytest.fixture
def shop(tickets):
    """The marketplace at work: everything in Redis, one worker, nothing queued."""
    tickets.use(ticketing.projections(), canary="1 s")
    tickets.install()
    tickets.pgusher("backfill").must(0)
    tickets.start()
    tickets.until_asleep()
    tickets.redis.client.delete(*tickets.redis.client.keys("{search}*"))
    yield tickets
    for worker in tickets.daemons:
        worker.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("heading", SECTIONS)
def test_section(shop, heading):
    SITUATIONS[heading](shop)
    environment = playbook.environment(shop)
    for step in SECTIONS[heading]:
        step.run(environment)
