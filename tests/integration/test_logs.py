"""What workers log: an event once, and no data of rows above debug."""
import re
import signal

import pytest

from harness import ticketing
from harness.waiting import stays, until

SECRET = "Hush Hush"


@pytest.fixture
def failing(tickets):
    """A worker whose view fails for every event with a name that is no number; it says the name."""
    tickets.db.sql(f"UPDATE event SET name = '{SECRET} ' || id")
    worker = tickets.ready(ticketing.event_only())
    view = tickets.db.value("SELECT pg_get_viewdef('event_card'::regclass)")
    tickets.db.sql("""CREATE FUNCTION loud(name text) RETURNS text LANGUAGE plpgsql AS $$
                      BEGIN RAISE WARNING 'the name is %', name; RETURN name::int; END $$""")
    tickets.db.sql(f"CREATE OR REPLACE VIEW event_card AS SELECT id, loud(name) AS name, {', '.join(others(tickets))} FROM ({view.rstrip(';')}) v")
    return worker


def others(box):
    rows = box.db.sql("SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = 'event_card'::regclass AND attnum > 0 ORDER BY attnum")
    return [name for name, in rows if name not in ("id", "name")]


def test_no_data_of_rows(tickets, failing):
    tickets.db.sql(f"UPDATE event SET name = '{SECRET}!' WHERE id = 7")
    tickets.until(tickets.quarantined, 10, "event 7 is in quarantine")
    assert SECRET in tickets.quarantined()[0][2], "for the operator it is kept"
    failing.says("level=error", "document event:7", "goes to quarantine", "SQLSTATE 22P02")
    assert SECRET not in failing.log


def test_debug_has_it_all(tickets, failing):
    failing.stop()
    worker = tickets.start("--log-level", "debug")
    tickets.until_asleep()
    tickets.db.sql(f"UPDATE event SET name = '{SECRET}!' WHERE id = 7")
    worker.says("level=debug", "event:7", "is refused", SECRET)
    worker.says("level=debug", "PostgreSQL says", f"the name is {SECRET}")


def test_many_failures_are_few_lines(tickets, failing):
    tickets.db.sql("CALL grow(10, 60)")
    tickets.until(lambda: len(tickets.quarantined()) >= 40, 20, lambda: f"in quarantine: {len(tickets.quarantined())}")
    failing.says("goes to quarantine", "more within this minute", "pgusher quarantine list")  # the last of them
    assert failing.said("goes to quarantine") == 20
    assert failing.said("goes to quarantine", "more within this minute", "pgusher quarantine list") == 1


def test_drift_is_named_without_its_data(tickets):
    worker = tickets.ready(ticketing.event_only(), verify={"every": "1 s"})
    tickets.redis.client.hset("event:5", "name", SECRET)
    worker.says("verify of event found drift", "event:5 (different)", "pgusher verify event --repair")
    assert SECRET not in worker.log


def test_an_outage_is_one_line(tickets):
    worker = tickets.ready(ticketing.event_only())
    worker.says("caught up")
    tickets.redis.stop()
    until(lambda: worker.said("level=error", "trying again"))
    stays(lambda: worker.said("level=error", "trying again") <= 3, 4, lambda: worker.log)
    tickets.redis.start()
    until(lambda: worker.said("caught up") == 2)
    lines = worker.said("level=error")
    tickets.redis.stop()
    until(lambda: worker.said("level=error") > lines, what="the next one is said again")
    tickets.redis.start()


def test_sessions_that_end_for_the_same_reason_are_few_lines(tickets):
    worker = tickets.ready(ticketing.event_only())
    tickets.redis.client.config_set("min-replicas-to-write", "1")
    tickets.db.sql("UPDATE event SET name = 'x'")
    worker.says("level=error", "NOREPLICAS")
    stays(lambda: worker.said("NOREPLICAS") == 1 and worker.said("connected to PostgreSQL") <= 3, 4, lambda: worker.log)
    tickets.redis.client.config_set("min-replicas-to-write", "0")
    tickets.in_step()
    worker.says("caught up")


def test_a_warning_about_the_configuration_is_said_once(tickets):
    """Not again for each session; but for each configuration."""
    tickets.db.sql("DROP VIEW event_card; CREATE VIEW event_card AS SELECT id, name, starts_at::timestamp AS starts_at FROM event")
    worker = tickets.ready(ticketing.event_only())
    tickets.db.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'pgusherd%%' AND datname = current_database()")
    tickets.until(lambda: worker.said("connected to PostgreSQL and Redis") == 2, 20, "a second session")
    assert worker.said("level=warn", "read as UTC") == 1
    worker.process.send_signal(signal.SIGHUP)
    worker.says("reload: the configuration is adopted")
    assert worker.said("level=warn", "read as UTC") == 2


def test_what_was_done_before_a_connection_was_lost_is_told(tickets):
    worker = tickets.ready(ticketing.projections())
    tickets.db.sql("UPDATE event SET name = 'x'")
    tickets.in_step()
    tickets.redis.client.client_kill_filter(_type="normal", skipme=True)
    worker.says("trying again")
    tickets.until_asleep()
    worker.stop()
    assert sum(int(number) for number in re.findall(r"documents put (\d+)", worker.log)) >= 9, worker.log
