"""Several PostgreSQL hosts: which one is taken, and what a host that is no use does to the others."""
import os
import select
import signal
import socket
import threading
import time

import pytest

from harness import ticketing
from harness.postgres import REPLICATING, Cluster
from harness.programs import SLOWER
from harness.waiting import stays


@pytest.fixture
def mute():
    """A port where connections are accepted and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def full():
    """A port whose backlog is full: the kernel does not answer any more."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for one in waiting:
            one.close()


@pytest.fixture
def hung_up():
    """A port whose connections end at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.01)
        with Hanging(listener):
            yield listener.getsockname()[1]


@pytest.fixture
def by_turns():
    """Two ports; a connection ends when the next one comes, so that one is always awaited."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        with ByTurns(one, other):
            yield one.getsockname()[1], other.getsockname()[1]


class Hanging:
    def __init__(self, listener):
        self.listener, self.over = listener, False
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.over:
            try:
                self.listener.accept()[0].close()
            except OSError:
                pass

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.over = True
        self.thread.join()


class ByTurns(Hanging):
    def __init__(self, *listeners):
        super().__init__(listeners)

    def run(self):
        held = None
        while not self.over:
            for listener in select.select(self.listener, [], [], 0.01)[0]:
                held, before = listener.accept()[0], held
                if before:
                    before.close()
        if held:
            held.close()


def behind(tickets, port, more=""):
    """The conninfo of the test's database, with another host before it."""
    folder = tickets.db.cluster.folder
    return f"host=127.0.0.1,{folder} port={port},5432 dbname={tickets.db.name} user=postgres {more}"


@pytest.mark.parametrize("kind", ["mute", "full", "hung_up"])
def test_a_bad_host_does_not_keep_from_the_next(tickets, kind, request):
    tickets.use(tickets.projections, postgres=behind(tickets, request.getfixturevalue(kind)))
    began = time.monotonic()
    tickets.install()
    assert time.monotonic() - began < 8 * SLOWER
    tickets.pgusher("backfill").must(0)
    tickets.once()
    tickets.in_step()


def test_a_name_without_address_does_not_keep_from_the_next(tickets):
    folder = tickets.db.cluster.folder
    tickets.use(tickets.projections, postgres=f"host=nowhere.invalid,{folder} dbname={tickets.db.name} user=postgres")
    tickets.install()


def test_each_host_says_what_is_wrong(tickets, hung_up):
    tickets.use(tickets.projections, postgres=f"host=nowhere.invalid,127.0.0.1 port=1,{hung_up} dbname=x user=postgres")
    tickets.pgusher("check").must(69, "nowhere.invalid", "no address for this name", "closed the connection")


def test_a_mute_host_alone_is_given_up(tickets, mute):
    tickets.use(tickets.projections, postgres=f"host=127.0.0.1 port={mute} dbname=x user=postgres connect_timeout=2")
    began = time.monotonic()
    tickets.pgusher("check").must(69, "127.0.0.1", "no answer in time")
    assert 1.5 < time.monotonic() - began < 4 * SLOWER


def test_hosts_that_fail_by_turns_are_given_up(tickets, by_turns):
    one, other = by_turns
    tickets.use(tickets.projections, postgres=f"host=127.0.0.1,127.0.0.1 port={one},{other} dbname=x user=postgres sslmode=disable "
                                              "gssencmode=disable connect_timeout=1")
    began = time.monotonic()
    tickets.pgusher("check").must(69, "closed the connection")
    assert 2 < time.monotonic() - began < 7 * SLOWER


@pytest.mark.parametrize("conninfo, words", [
    ("host=localhost sslmode=verify_full", ["sslmode", "verify_full"]), ("host=localhost prot=5432", ["prot"]),
    ("service=nosuch", ["service", "nosuch"]), ("host=a,b,c port=1,2", ["port"])])
def test_what_libpq_cannot_read_is_a_bad_configuration(tickets, conninfo, words):
    tickets.use(tickets.projections, postgres=conninfo)
    tickets.pgusher("check").must(78, *words)


# ---- failover ----

@pytest.fixture
def pair(workspace):
    """A primary and a standby that confirms every commit."""
    primary = Cluster(os.path.join(workspace, "p1"), {**REPLICATING, "synchronous_standby_names": "*"})
    standby = None
    try:
        primary.settings["synchronous_commit"] = "local"
        primary.start()
        standby = primary.standby(os.path.join(workspace, "p2"), synchronous_standby_names="")
        yield primary, standby
    finally:
        for cluster in (standby, primary):
            if cluster:
                cluster.remove()


def on_both(box, pair, projections):
    """A box on the pair, whose configuration names the standby first and says nothing of session attributes."""
    primary, standby = pair
    box.db = primary.create()
    box.db.sql(ticketing.schema())
    conninfo = f"host={standby.folder},{primary.folder} dbname={box.db.name} user=postgres"
    box.use(projections, postgres=conninfo)
    return conninfo


def all_replayed(box):
    """The standby has all that happened until now."""
    box.db.sql("SET synchronous_commit = remote_apply; CREATE TABLE replayed ()")
    box.db.disconnect()


def test_of_several_hosts_the_primary_is_taken(box, pair):
    conninfo = on_both(box, pair, ticketing.projections())
    worker = box.ready(ticketing.projections(), postgres=conninfo)
    box.db.sql("UPDATE event SET name = 'x' WHERE id = 1")
    box.until_has("event:1", name="x")
    worker.stop()
    box.db.disconnect()


def test_the_worker_follows_the_promoted_standby(box, pair):
    primary, standby = pair
    conninfo = on_both(box, pair, ticketing.projections())
    worker = box.ready(ticketing.projections(), postgres=conninfo)
    all_replayed(box)
    primary.stop(signal.SIGKILL)
    standby.promote()
    promoted = time.monotonic()
    box.db.cluster = standby
    box.db.sql("UPDATE event SET name = 'after' WHERE id = 2")
    box.until_has("event:2", seconds=10, name="after")
    assert time.monotonic() - promoted < 6 * SLOWER
    box.in_step()
    worker.stop()
    box.db.disconnect()


def test_it_waits_while_there_are_only_standbys(box, pair):
    primary, standby = pair
    conninfo = on_both(box, pair, ticketing.projections())
    worker = box.ready(ticketing.projections(), postgres=conninfo)
    all_replayed(box)
    primary.stop(signal.SIGKILL)
    worker.says("read-only")
    stays(worker.alive, 1)
    standby.promote()
    box.db.cluster = standby
    box.db.sql("UPDATE event SET name = 'after' WHERE id = 2")
    box.until_has("event:2", seconds=10, name="after")
    worker.stop()
    box.db.disconnect()


def test_check_is_told_a_standby(box, pair):
    """The programs ask for the primary by themselves; who says otherwise is told so."""
    _, standby = pair
    on_both(box, pair, ticketing.projections())
    box.install()
    all_replayed(box)
    box.use(ticketing.projections(), postgres=f"host={standby.folder} dbname={box.db.name} user=postgres target_session_attrs=any")
    for words in (["check"], ["verify"]):
        box.pgusher(*words).must((69, 78), "standby", "target_session_attrs=read-write")
    box.db.disconnect()
