"""The worker's life: ending, reloading, servers that go away, memory."""
import json
import re
import signal
import threading

import pytest

from harness import ticketing
from harness.box import projection
from harness.programs import SANITIZED, SLOWER
from harness.waiting import stays, until


class Load:
    """Sessions that change events without pause until the block ends; they come back after errors."""

    def __init__(self, db, connections=4):
        self.db = db
        self.commits = 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(connections)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        until(lambda: self.commits > 100)
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number):
        while not self._stop.is_set():
            try:
                self._session(number)
            except Exception:  # noqa: BLE001 the server went away: again
                self._stop.wait(0.05)

    def _session(self, number):
        connection = self.db.connect(autocommit=True)
        cursor = connection.cursor()
        while not self._stop.is_set():
            cursor.execute("UPDATE event SET name = %s WHERE id = %s", (f"n{self.commits}", number * 500 + self.commits % 500))
            self.commits += 1

    def goes_on(self):
        """Waits for another hundred commits."""
        enough = self.commits + 100
        until(lambda: self.commits > enough, 30)


def moves(db, query):
    """Waits until the value is another."""
    before = db.value(query)
    until(lambda: db.value(query) != before, 10 * SLOWER, query)


def test_sigterm_drains_within_a_second_under_load(market):
    worker = market.ready(ticketing.projections())
    with Load(market.db) as load:
        for _ in range(3):
            load.goes_on()
            worker.stop(seconds=1.0)
            worker = market.start()
            moves(market.db, "SELECT max(moved_at) FROM pgusher.cursor")
    market.in_step()


def test_sigterm_at_rest(tickets):
    tickets.ready(ticketing.projections()).stop(seconds=1.0)
    until(lambda: not tickets.asleep())


def test_sigint_ends_it_as_well(tickets):
    worker = tickets.ready(ticketing.projections())
    worker.process.send_signal(signal.SIGINT)
    worker.exits(0, seconds=1.0)


def test_sigterm_while_it_waits_for_the_servers(tickets):
    tickets.install()
    tickets.redis.stop()
    worker = tickets.start()
    worker.says("redis")
    worker.stop(seconds=1.0)
    tickets.redis.start()


def test_once_ends_without_changes(tickets):
    tickets.install()
    tickets.once()
    tickets.db.sql("UPDATE event SET name = 'x' WHERE id = 1")
    tickets.once()
    assert tickets.has("event:1", name="x") and tickets.caught_up()


def test_reload_adopts_a_good_configuration(tickets):
    worker = tickets.ready(ticketing.event_only())
    changed = ticketing.event_only()
    changed["event"].update(queues=["{search}", "{mail}"], expire_grace="20 days")
    tickets.use(changed)
    worker.reload()
    worker.says("reload")
    tickets.db.sql("UPDATE event SET name = 'after', starts_at = starts_at + interval '1 day'")
    tickets.until_has("event:9", name="after")
    tickets.in_step()
    assert len(tickets.queued("{mail}")) == 9
    assert worker.alive()


def test_reload_adopts_a_new_projection(tickets):
    worker = tickets.ready(ticketing.event_only())
    tickets.use(ticketing.projections())
    tickets.install()
    worker.reload()
    worker.says("reload")
    tickets.db.sql("UPDATE ticket SET price = 3")
    tickets.until_has("ticket:1", price="3.00")
    tickets.in_step()


@pytest.mark.parametrize("text, words", [
    ("{ nonsense", []),
    (json.dumps({"projections": {"event": {"qeues": []}}}), ["projections.event"]),
    (None, ["event_idd"]),
])
def test_reload_refuses_a_bad_configuration(tickets, text, words):
    """The old one stays in force."""
    worker = tickets.ready(ticketing.event_only())
    if text is None:
        changed = json.loads(json.dumps(tickets.config))
        changed["projections"]["event"]["watch"]["ticket"] = "event_idd"
        text = json.dumps(changed)
    tickets.write(text)
    worker.reload()
    worker.says("level=err", tickets.path if not words else "", *words)
    tickets.db.sql("UPDATE ticket SET sold = true WHERE event_id = 1")
    tickets.until_has("event:1", open="0")
    tickets.in_step()
    assert "event:1" in tickets.queued() and worker.alive()


def test_redis_restarts_under_load(market):
    market.ready(ticketing.projections())
    with Load(market.db) as load:
        for _ in range(2):
            load.goes_on()
            market.redis.save_and_stop()
            load.goes_on()
            market.redis.start()
            load.goes_on()
    market.in_step(40)


def test_redis_loses_its_scripts(tickets):
    tickets.ready(ticketing.projections())
    tickets.redis.client.script_flush()
    tickets.db.sql("UPDATE event SET name = 'after'; DELETE FROM ticket WHERE id = 1")
    tickets.until_has("event:9", name="after")
    tickets.in_step()


def test_redis_drops_the_connections_under_load(market):
    worker = market.ready(ticketing.projections())
    with Load(market.db) as load:
        for _ in range(10):
            load.goes_on()
            market.redis.client.client_kill_filter(_type="normal", skipme=True)
    market.in_step()
    assert worker.alive()


def test_redis_is_full(market):
    """OOM refuses writes: it waits, and loses nothing."""
    market.ready(ticketing.projections())
    market.drain()
    market.redis.client.config_set("maxmemory", "1mb")
    market.db.sql("UPDATE event SET name = 'after' WHERE id <= 300")
    market.daemons[-1].says("oom")
    assert not market.caught_up()
    market.redis.client.config_set("maxmemory", "0")
    market.until_has("event:300", seconds=40, name="after")
    market.in_step()


def test_redis_hangs_for_a_while(tickets):
    tickets.ready(ticketing.projections())
    tickets.redis.process.send_signal(signal.SIGSTOP)
    tickets.db.sql("UPDATE event SET name = 'after'")
    until(lambda: not tickets.asleep(), 25)  # the worker may be waiting for Redis already, for ten seconds
    tickets.redis.process.send_signal(signal.SIGCONT)
    tickets.until_has("event:9", seconds=20, name="after")
    tickets.in_step(40)


def test_log_lines_are_logfmt(tickets):
    worker = tickets.ready(ticketing.projections())
    worker.stop()
    for line in worker.log.splitlines():
        assert re.fullmatch(r'time=\S+ level=(error|warn|info|debug) .*fleet="?default"? .*msg="([^"\\]|\\.)*"', line), line


BACKENDS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'pgusherd default%'"


@pytest.mark.parametrize("at_rest", [True, False])
def test_backends_are_terminated(market, at_rest):
    worker = market.ready(ticketing.projections())
    if at_rest:
        assert market.db.value(f"SELECT count(pg_terminate_backend(pid)) {BACKENDS}") > 0
        market.db.sql("UPDATE event SET name = 'after' WHERE id = 1")
        market.until_has("event:1", seconds=15, name="after")
    else:
        with Load(market.db) as load:
            for _ in range(10):
                load.goes_on()
                market.db.sql(f"SELECT pg_terminate_backend(pid) {BACKENDS}")
    market.in_step()
    assert worker.alive()


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "crash"])
def test_postgres_restarts_under_load(box, own_cluster, sign):
    own_cluster.start()
    box.db = own_cluster.create()
    box.db.sql(ticketing.schema())
    box.db.sql("CALL grow(10, 2000)")
    worker = box.ready(ticketing.projections())
    box.db.disconnect()
    with Load(box.db) as load:
        load.goes_on()
        own_cluster.stop(sign)
        own_cluster.start()
        load.goes_on()
    box.in_step(40)
    assert worker.alive()
    worker.stop()
    box.db.disconnect()


def test_postgres_stays_away_for_a_while(box, own_cluster):
    """It says so once in a while, not thousands of times, and does not end."""
    own_cluster.start()
    box.db = own_cluster.create()
    box.db.sql(ticketing.schema())
    worker = box.ready(ticketing.event_only())
    box.db.disconnect()
    own_cluster.stop()
    stays(lambda: worker.alive() and len(worker.log.splitlines()) < 40, 3)
    assert worker.said("postgres")
    own_cluster.start()
    box.db.sql("UPDATE event SET name = 'back' WHERE id = 1")
    box.until_has("event:1", seconds=40, name="back")
    box.in_step()
    worker.stop()
    box.db.disconnect()


def test_cursor_is_saved_whatever_the_number_of_changes(market):
    """Numbers that a page may be full with, each after a rest: a cursor left behind has all done again."""
    worker = market.ready(ticketing.event_only())
    for count in (100, 128, 250, 256, 500, 512, 1000, 1024, 2000):
        stays(worker.alive, 0.7)
        market.db.sql("UPDATE event SET name = 'n%s' WHERE id <= %s", count, count)
        market.until_caught_up(5)
    market.in_step()


@pytest.mark.skipif(SANITIZED, reason="the sanitizers' own memory is in the way")
def test_memory_while_a_million_rows_change(box):
    """One transaction; the bound is on the peak of the whole life of the process."""
    box.db.sql("""CREATE TABLE item (id int PRIMARY KEY, n int) WITH (fillfactor = 45);
                  CREATE VIEW item_card AS SELECT id, n FROM item;
                  INSERT INTO item SELECT id, 0 FROM generate_series(1, 1000000) id""")
    box.use({"item": projection("item_card", {"item": "id"}, key="i:{id}", queues=["{search}"])})
    box.install()
    worker = box.start()
    box.until_asleep(90)
    box.db.sql("UPDATE item SET n = n + 1")
    box.until_caught_up(90)
    assert box.redis.client.llen("{search}") == 1_000_000
    for number in (1, 500_000, 1_000_000):
        assert box.hash(f"i:{number}") == {"id": str(number), "n": "1"}
    assert worker.peak_kb() < 32 * 1024
