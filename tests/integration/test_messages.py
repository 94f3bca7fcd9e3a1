"""Errors and warnings that are told in places few come to: each names what is wrong and the mend."""
import signal
import subprocess

import pytest

from harness import ticketing
from harness.box import projection
from harness.programs import path, run_program
from harness.redis_server import RedisServer
from harness.relay import Relay
from harness.waiting import until


@pytest.mark.parametrize("arguments, words", [(["--log-level", "loud"], ["--log-level", "error, warn, info or debug", '"loud"']),
                                              (["once"], ["unexpected argument", '"once"'])])
def test_command_line_of_the_worker(arguments, words):
    run_program("pgusherd", *arguments).must(64, *words)


def test_a_replica_of_redis(tickets, workspace):
    replica = RedisServer(f"{workspace}/replica", "--replicaof", "127.0.0.1", "1")
    try:
        replica.start()
        tickets.use(ticketing.projections(), redis=replica.url)
        tickets.pgusher("check").must((69, 78), "replica", "primary")
    finally:
        replica.remove()


def test_a_redis_that_cannot_write_its_data(tickets, workspace):
    full = RedisServer(f"{workspace}/full", "--enable-protected-configs", "yes")
    try:
        full.start()
        full.client.config_set("dir", "/proc")
        full.client.bgsave()
        until(lambda: full.client.info("persistence")["rdb_last_bgsave_status"] == "err", 20)
        tickets.use(ticketing.projections(), redis=full.url)
        tickets.pgusher("check").must((0, 1, 78), "last attempt to write its data to disk failed", "a full disk?")
    finally:
        full.remove()


def test_check_through_what_eats_notifications(tickets):
    relay = Relay(f"{tickets.db.cluster.folder}/.s.PGSQL.5432")
    try:
        relay.deafen()
        tickets.install()
        tickets.use(ticketing.projections(), postgres=f"{relay.conninfo} dbname={tickets.db.name} user=postgres")
        tickets.pgusher("check").must((0, 1), "notifications are not delivered", "pooler")
    finally:
        relay.stop()


def test_a_lookup_of_too_many_columns(tickets):
    watched = ticketing.projections()
    watched["event"]["watch"]["venue"] = {"column": "id", "lookup": "SELECT id, 1 FROM event WHERE venue_id = ANY($1)"}
    tickets.use(watched)
    tickets.pgusher("check").must((1, 78), "projections.event.watch.venue.lookup", "gives 2 columns", "has 1")


def test_a_fleet_without_some_cursors(tickets):
    """Somebody deleted them; install puts them back."""
    tickets.ready(ticketing.projections()).stop()
    tickets.db.sql("DELETE FROM pgusher.cursor WHERE part IN (3, 9)")
    worker = tickets.start()
    worker.says("no cursor for some partitions", "pgusher install")
    tickets.pgusher("install").must(0)
    tickets.db.sql("UPDATE event SET name = 'x'")
    tickets.in_step()


def test_a_schema_of_the_future(tickets):
    """One that says that it works with this program no more."""
    tickets.install()
    tickets.db.sql("UPDATE pgusher.meta SET schema_version = 9, oldest_program = 9")
    tickets.start().exits(78)
    assert "upgrade" in tickets.daemons[-1].log
    tickets.pgusher("fleet", "drop", "default").must((1, 78), "version")


def test_interrupted_verify(box):
    """Ctrl-C: what was compared so far is not told as the whole."""
    box.db.sql("CREATE TABLE slow (id int PRIMARY KEY); INSERT INTO slow SELECT generate_series(1, 3000);"
               "CREATE VIEW slow_card AS SELECT id, pg_sleep(0.003)::text AS _nap FROM slow")
    box.use({"slow": projection("slow_card", {"slow": "id"}, key="slow:{id}")})
    box.install()
    verifying = subprocess.Popen([path("pgusher"), "-c", box.path, "verify"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until(lambda: box.db.value("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgusher%' AND state = 'active'"), 20)
    verifying.send_signal(signal.SIGINT)
    text = verifying.communicate(timeout=60)[0]
    assert verifying.returncode not in (0, -signal.SIGINT) and "interrupt" in text


def test_a_schema_of_the_past(tickets):
    """One whose install was not repeated after the programs were renewed."""
    tickets.install()
    tickets.db.sql("UPDATE pgusher.meta SET schema_version = 1, oldest_program = 1")
    tickets.start().exits(78)
    assert "is of version 1" in tickets.daemons[-1].log and "pgusher install" in tickets.daemons[-1].log


def test_a_projection_under_another_name(tickets):
    """It is a new one, and has the keys of the old one."""
    tickets.ready(ticketing.projections()).stop()
    tickets.use({"happening" if name == "event" else name: one for name, one in ticketing.projections().items()})
    worker = tickets.start()
    worker.says("projection event was removed", "another projection has its keys event:{id} now")
    tickets.in_step()
