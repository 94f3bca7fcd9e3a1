"""Connections to PostgreSQL whose other end is gone, or does not answer, and nobody says so."""
import os
import time

import pytest

from harness import ticketing
from harness.postgres import REPLICATING, Cluster
from harness.processes import run
from harness.programs import SLOWER
from harness.relay import Relay
from harness.waiting import stays, until

WORKERS = "FROM pg_stat_activity WHERE application_name LIKE 'pgusherd%' AND datname = current_database()"


@pytest.fixture
def relay(cluster):
    relay = Relay(os.path.join(cluster.folder, ".s.PGSQL.5432"))
    yield relay
    relay.stop()


def through(relay, db):
    return f"{relay.conninfo} dbname={db.name} user=postgres"


# ---- a network that is gone: the kernels notice ----

class Namespace:
    """A network of the test's own, with nothing but a loopback device."""

    def __init__(self):
        self.name = f"pgusher{os.getpid()}"

    def ip(self, *arguments):
        return run(["ip", *arguments])

    def prefix(self, *command):
        return ["ip", "netns", "exec", self.name, *command]

    def __enter__(self):
        if os.geteuid() != 0 or self.ip("netns", "add", self.name).returncode != 0:
            pytest.skip("no network namespace can be had here")
        self.connect()
        return self

    def connect(self):
        self.ip("-n", self.name, "link", "set", "lo", "up")

    def cut(self):
        """Every packet is lost from now on; the sockets stay."""
        self.ip("-n", self.name, "link", "set", "lo", "down")

    def __exit__(self, *_):
        self.ip("netns", "del", self.name)


@pytest.fixture
def island(box, workspace):
    """PostgreSQL and a worker in a network of their own; the box talks to PostgreSQL over the unix socket."""
    with Namespace() as namespace:
        as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        cluster = Cluster(os.path.join(workspace, "own"), {"listen_addresses": "127.0.0.1"},
                          namespace.prefix(*as_postgres))
        try:
            cluster.start()
            box.db = cluster.create()
            box.db.sql(ticketing.schema())
            yield namespace
        finally:
            box.stop()
            box.db.disconnect()
            cluster.remove()


def start_inside(box, namespace):
    """A worker in that network, told to go there by TCP; at rest."""
    box.use(ticketing.projections())
    box.install()
    box.pgusher("backfill").must(0)
    box.use(ticketing.projections(), postgres=f"host=127.0.0.1 dbname={box.db.name} user=postgres")
    worker = box.start(prefix=namespace.prefix())
    box.until_asleep()
    return worker


def hold_up(box):
    """The worker waits for an answer from now on: somebody has the table it wants to read."""
    holder = box.db.connect()
    holder.cursor().execute("LOCK TABLE event")
    box.db.sql("UPDATE ticket SET price = 1 WHERE id = 1")
    box.until(lambda: box.db.value("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted"), 5, "it waits to read")
    return holder


@pytest.mark.parametrize("at_rest", [True, False])
def test_both_sides_notice_a_network_that_is_gone(island, box, at_rest):
    worker = start_inside(box, island)
    holder = None if at_rest else hold_up(box)
    island.cut()
    cut = time.monotonic()
    worker.says("trying again", seconds=12)
    box.until(lambda: box.db.value(f"SELECT count(*) = 0 {WORKERS}"), 12, "PostgreSQL has ended the session")
    assert time.monotonic() - cut < 12 * SLOWER
    if holder:
        holder.close()
    island.connect()
    box.db.sql("UPDATE event SET name = 'after' WHERE id = 1")
    box.until_has("event:1", seconds=15, name="after")
    box.in_step()


# ---- a connection that leads nowhere: only the server itself can tell ----

def test_a_query_whose_answer_does_not_come_is_given_up(tickets, relay):
    worker = tickets.ready(ticketing.projections(), postgres=through(relay, tickets.db))
    holder = hold_up(tickets)
    relay.strand()
    holder.close()
    worker.says("leads nowhere", seconds=12)
    tickets.in_step()


def test_a_session_that_was_ended_unheard_is_given_up(tickets, relay):
    worker = tickets.ready(ticketing.projections(), postgres=through(relay, tickets.db))
    holder = hold_up(tickets)
    relay.strand()
    tickets.db.sql(f"SELECT pg_terminate_backend(pid) {WORKERS} AND wait_event_type = 'Lock'")
    holder.close()
    worker.says("the session has ended", seconds=12)
    tickets.in_step()


def test_a_long_query_is_waited_for(tickets, relay):
    """Twice as long as it takes to become suspicious."""
    worker = tickets.ready(ticketing.projections(), postgres=through(relay, tickets.db))
    holder = hold_up(tickets)
    asked = tickets.db.value(f"SELECT query_start {WORKERS} AND wait_event_type = 'Lock'")
    stays(lambda: tickets.db.value(f"SELECT query_start {WORKERS} AND wait_event_type = 'Lock'") == asked, 11)
    assert relay.accepted > 1, "it asked"
    holder.close()
    tickets.in_step()
    assert not worker.said("trying again")


def test_while_nothing_answers_it_waits_and_says_so(tickets, relay):
    worker = tickets.ready(ticketing.projections(), postgres=through(relay, tickets.db))
    holder = hold_up(tickets)
    relay.stall()
    holder.close()
    worker.says("waiting for PostgreSQL", "no answer in time", seconds=20)
    relay.resume()
    tickets.in_step()
    assert not worker.said("trying again")


def test_a_stopped_primary_is_left_when_another_is_promoted(box, workspace):
    """Its kernel goes on answering, so nothing but the new primary tells."""
    primary = Cluster(os.path.join(workspace, "p1"), REPLICATING)
    standby = None
    try:
        primary.start()
        box.db = primary.create()
        box.db.sql(ticketing.schema())
        standby = primary.standby(os.path.join(workspace, "p2"))
        worker = box.ready(ticketing.projections(), postgres=f"host={primary.folder},{standby.folder} "
                                                             f"dbname={box.db.name} user=postgres")
        holder = hold_up(box)
        position = box.db.value("SELECT pg_current_wal_lsn()")
        box.db.disconnect()
        standby_db = standby.database(box.db.name)
        until(lambda: standby_db.once("SELECT pg_last_wal_replay_lsn() >= %s", position)[0][0], 10)
        primary.freeze()
        standby.promote()
        box.db = standby_db
        worker.says("the session has ended", seconds=15)
        box.db.sql("UPDATE event SET name = 'after' WHERE id = 1")
        box.until_has("event:1", seconds=15, name="after")
        box.in_step()
        holder.close()
    finally:
        box.stop()
        box.db.disconnect()
        if standby:
            standby.remove()
        primary.thaw()
        primary.remove()
