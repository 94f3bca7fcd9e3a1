"""Moving house: the scripts of examples/moving, on real servers, under live traffic that ends on nothing but the same documents."""
import json
import os
import subprocess
import threading

import psycopg2
import pytest

from harness import ticketing
from harness.fleet import box_beside
from harness.postgres import BINARIES, Cluster
from harness.processes import clean_environment
from harness.programs import BUILD, ROOT
from harness.traffic import Client
from harness.waiting import until

SCRIPTS = os.path.join(ROOT, "examples", "moving")
EVENTS = 3000


class Writers:
    """Applications that look up their server in a file, and come back after whatever ended their connection."""

    def __init__(self, path, connections=3):
        self.path, self.count, self.errors, self.over = path, 0, [], threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(Client(None, number, 7),)) for number in range(connections)]

    def _run(self, client):
        while not self.over.is_set():
            try:
                with open(self.path) as file:
                    connection = psycopg2.connect(file.read(), application_name="test")
                self._write(client, connection)
            except (psycopg2.OperationalError, psycopg2.InterfaceError, psycopg2.errors.ReadOnlySqlTransaction):
                self.over.wait(0.05)
            except Exception as error:  # noqa: BLE001 reported by __exit__ in the main thread
                self.errors.append(error)
                return

    def _write(self, client, connection):
        client.cursor = connection.cursor()
        client.sql("SET deadlock_timeout = '20ms'")
        try:
            while not self.over.is_set():
                client.transaction(connection)
                self.count += 1
                self.over.wait(0.01)
        finally:
            connection.close()

    def go_on(self, transactions=300):
        goal = self.count + transactions
        until(lambda: self.count > goal or self.errors, 60, "the writers write")

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()
        if self.errors:
            raise self.errors[0]


class Script:
    """One of the scripts, in the background until its end is waited for."""

    def __init__(self, name, **settings):
        environment = {**clean_environment(), "PGUSHER": os.path.join(BUILD, "pgusher"), "WAIT": "60", **settings}
        environment["PATH"] = f"{BINARIES}:{environment['PATH']}"
        self.process = subprocess.Popen([os.path.join(SCRIPTS, name)], env=environment, text=True, cwd="/",
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def ends(self, code, *words):
        text = self.process.communicate(timeout=120)[0]
        missing = [word for word in words if word not in text]
        assert self.process.returncode == code and not missing, f"expected exit {code} and {missing}:\n{text}"


@pytest.fixture
def market(tickets):
    """3,000 events, 9,000 tickets; a worker that follows, and the file in which writers find their server."""
    tickets.db.sql(f"CALL grow(10, {EVENTS})")
    tickets.db.sql("ANALYZE")
    tickets.install()
    tickets.start()
    tickets.until_asleep(60)
    tickets.server_file = os.path.join(tickets.folder, "server")
    write(tickets.server_file, tickets.db.conninfo())
    return tickets


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


# ---- a new Redis ----

@pytest.fixture
def new(market, workspace):
    """A box whose Redis is empty, for fleet "new"."""
    with box_beside(market, workspace) as new:
        new.use(ticketing.projections(), fleet="new")
        yield new


def redis_settings(market, new, **more):
    return {"OLD_FLEET": "default", "OLD_CONFIG": market.path, "NEW_FLEET": "new", "NEW_CONFIG": new.path, **more}


def test_to_a_new_redis(market, new):
    asked, switched = (os.path.join(market.folder, name) for name in ("asked", "switched"))
    old_worker = market.daemons[0]
    with Writers(market.server_file) as writers:
        writers.go_on()
        filling = Script("new-redis.sh", **redis_settings(market, new, START_NEW=f"touch {asked}"))
        until(lambda: os.path.exists(asked), 20, "the script wants a worker")
        new.start()
        filling.ends(0, "filled", "ready")
        writers.go_on()
        old_worker.ended = True
        Script("new-redis.sh", **redis_settings(market, new, COMPARE="true", CUT_OVER=f"touch {switched}",
                                                STOP_OLD=f"kill {old_worker.process.pid}")).ends(0, "dropped fleet default")
        assert os.path.exists(switched)
        writers.go_on()
    new.in_step(60)
    assert new.db.sql("SELECT name FROM pgusher.fleet") == [("new",)]
    Script("new-redis.sh", **redis_settings(market, new, CUT_OVER="true")).ends(0, "gone already")


def test_both_caches_are_right_until_the_cut(market, new):
    new.install()
    new.start()
    with Writers(market.server_file) as writers:
        Script("new-redis.sh", **redis_settings(market, new)).ends(0, "ready")
        writers.go_on()
    market.in_step(60)
    new.in_step(60)


def test_nothing_is_cut_over_when_the_caches_differ(market, new):
    new.install()
    new.start()
    switched = os.path.join(market.folder, "switched")
    Script("new-redis.sh", **redis_settings(market, new, COMPARE="echo they differ; false",
                                            CUT_OVER=f"touch {switched}")).ends(1, "they differ", "COMPARE failed")
    assert not os.path.exists(switched)
    assert market.db.value("SELECT count(*) FROM pgusher.fleet") == 2


@pytest.mark.parametrize("without", ["OLD_FLEET", "OLD_CONFIG", "NEW_FLEET", "NEW_CONFIG"])
def test_new_redis_says_what_it_needs(without):
    settings = dict.fromkeys(["OLD_FLEET", "OLD_CONFIG", "NEW_FLEET", "NEW_CONFIG"], "x")
    del settings[without]
    Script("new-redis.sh", **settings).ends(1, without)


def test_new_redis_of_an_unknown_fleet(market, new):
    Script("new-redis.sh", **{**redis_settings(market, new), "OLD_FLEET": "typo"}).ends(1, "neither", "typo")


# ---- a new PostgreSQL ----

@pytest.fixture
def house(box, workspace):
    """A box on a server of its own, with traffic to come, and a second server with an empty database."""
    settings = {"wal_level": "logical", "max_wal_senders": 10, "max_replication_slots": 10}
    old, new = (Cluster(os.path.join(workspace, name), settings) for name in ("old", "own"))
    try:
        old.start()
        new.start()
        box.db, box.new_db = old.create(name="market"), new.create(name="market")
        box.db.sql(ticketing.schema())
        box.db.sql("CREATE SEQUENCE receipt; SELECT setval('receipt', 4711); CREATE SEQUENCE unused")
        box.db.sql(f"CALL grow(10, {EVENTS})")
        box.server_file = os.path.join(box.folder, "server")
        write(box.server_file, box.db.conninfo())
        box.use(ticketing.projections())
        box.install()
        yield box
    finally:
        box.stop()
        for db in (box.db, box.new_db):
            db.disconnect()
        old.remove()
        new.remove()


def postgres_settings(house, **more):
    house.new_config, new_server = (os.path.join(house.folder, name) for name in ("new.json", "new-server"))
    write(house.new_config, json.dumps({**house.config, "postgres": house.new_db.conninfo()}))
    write(new_server, house.new_db.conninfo())
    return {"OLD": house.db.conninfo(), "NEW": house.new_db.conninfo(), "CONFIGS": f"default={house.new_config}",
            "START_WRITERS": f"cp {new_server} {house.server_file}", **more}


def cut_over(house, move):
    """Settings of the second run; move: what the workers are told, their new configuration being in place."""
    return {"CUT_OVER": "yes", "MOVE_WORKERS": f"cp {house.new_config} {house.path}; {move}"}


def hup(house):
    return "kill -HUP " + " ".join(str(daemon.process.pid) for daemon in house.daemons)


@pytest.mark.parametrize("mode", ["replicate", "dump"])
def test_to_a_new_postgres(house, mode):
    for _ in range(2):
        house.start()
    house.until_asleep(60)
    settings = postgres_settings(house, MODE=mode)
    house.db.disconnect()
    with Writers(house.server_file) as writers:
        writers.go_on()
        Script("new-postgres.sh", **settings).ends(0, "changes follow", "ready")
        writers.go_on()
        Script("new-postgres.sh", **settings).ends(0, "ready")
        Script("new-postgres.sh", **settings, **cut_over(house, hup(house))).ends(
            0, "read-only", "same number of rows", "has compared every document", "done")
        writers.go_on()
        Script("new-postgres.sh", **settings, **cut_over(house, hup(house))).ends(0, "moved already", "done")
        writers.go_on()
    old, house.db = house.db, house.new_db
    house.in_step(60)
    until(house.asleep, 30, "the workers rest")
    assert not house.differences(), "no ghost is left either"
    assert old.value("SHOW default_transaction_read_only") == "on"
    assert house.db.value("SELECT nextval('receipt')") == 4712
    assert house.db.value("SELECT nextval('unused')") == 1
    for db in (old, house.db):
        assert db.value("SELECT count(*) FROM pg_publication") + db.value("SELECT count(*) FROM pg_subscription") == 0
    assert old.value("SELECT count(*) FROM pg_replication_slots") == 0
    house.new_db = old


def test_a_cut_that_fails_half_way_goes_on_where_it_stood(house):
    """A row too many on the new server, then a command that fails: each is mended, and the same script does the rest."""
    house.start()
    house.until_asleep(60)
    settings = postgres_settings(house)
    house.db.disconnect()
    with Writers(house.server_file) as writers:
        writers.go_on()
        Script("new-postgres.sh", **settings).ends(0, "ready")
        house.new_db.sql("INSERT INTO venue VALUES (99, 'nowhere')")
        Script("new-postgres.sh", **settings, **cut_over(house, hup(house))).ends(1, "numbers of rows differ", "public.venue")
        house.new_db.sql("DELETE FROM venue WHERE id = 99")
        Script("new-postgres.sh", **settings, CUT_OVER="yes", MOVE_WORKERS="false").ends(1, "MOVE_WORKERS failed")
        assert house.daemons[0].alive()
        Script("new-postgres.sh", **settings, **cut_over(house, hup(house))).ends(0, "moved already", "done")
        writers.go_on()
    house.db, house.new_db = house.new_db, house.db
    house.in_step(60)


def test_a_table_without_key_is_refused(house):
    house.db.sql("CREATE TABLE logbook (line text)")
    Script("new-postgres.sh", **postgres_settings(house)).ends(1, "public.logbook", "primary key")
    assert house.new_db.value("SELECT count(*) FROM pg_class WHERE relname = 'event'") == 0
    house.db.sql("ALTER TABLE logbook REPLICA IDENTITY FULL")
    Script("new-postgres.sh", **postgres_settings(house)).ends(0, "ready")


def test_a_server_without_logical_decoding_is_refused(tickets):
    Script("new-postgres.sh", OLD=tickets.db.conninfo(), NEW=tickets.db.conninfo(), CONFIGS=f"default={tickets.path}").ends(
        1, "wal_level = logical")


@pytest.mark.parametrize("without", ["OLD", "NEW", "CONFIGS"])
def test_new_postgres_says_what_it_needs(without):
    settings = {"OLD": "host=/x", "NEW": "host=/x", "CONFIGS": "a=b"}
    del settings[without]
    Script("new-postgres.sh", **settings).ends(1, without)


def test_a_server_that_does_not_answer_is_not_taken_for_an_empty_one():
    Script("new-postgres.sh", OLD="host=/nonexistent", NEW="host=/nonexistent", CONFIGS="a=b").ends(1, "did not answer")


def test_pg_upgrade(box, workspace, own_cluster):
    """Tables, triggers and changelog are kept; the history is another one, for the system identifier is."""
    own_cluster.start()
    box.db = own_cluster.create(name="market")
    box.db.sql(ticketing.schema())
    box.ready(ticketing.projections()).stop()
    box.db.sql("UPDATE event SET name = 'while away' WHERE id = 7; DELETE FROM event WHERE id = 8")
    box.db.disconnect()
    own_cluster.stop()
    upgraded = own_cluster.upgrade(os.path.join(workspace, "upgraded"))
    try:
        upgraded.start()
        box.db = upgraded.database("market")
        box.use(ticketing.projections())
        worker = box.start()
        worker.says("another history")
        box.until_asleep(30)
        box.db.sql("UPDATE event SET name = 'new house' WHERE id = 9")
        box.until_has("event:9", name="new house")
        box.in_step()
    finally:
        box.stop()
        box.db.disconnect()
        upgraded.remove()
