"""What lasts: a transaction that stays open, a fleet that stays away. The changelog is bounded, nothing is skipped."""
import os
import statistics

import pytest

from harness.redis_server import RedisServer

from measures import percentile

ROUNDS = 6
SECONDS = 4
FULL_SPEED = 1_000_000

BYTES = """SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c
           WHERE c.relnamespace = 'pgusher'::regnamespace AND c.relkind = 'r' AND c.relname LIKE 'changelog%'"""

HELD = {"that wrote elsewhere": "CREATE TABLE IF NOT EXISTS elsewhere (n int); INSERT INTO elsewhere VALUES (1)",
        "that changed documents": "UPDATE event SET name = 'held' WHERE id = 1; DELETE FROM event WHERE id = 3"}


def hold(scene, statements):
    """A session whose transaction has an xid and stays open."""
    connection = scene.db.connect()
    connection.cursor().execute(statements)
    return connection


def log_bytes(scene):
    return int(scene.db.value(BYTES))


def commits(connection):
    connection.commit()
    connection.close()


class Figures:
    """Of one way to run: changes per second, seconds of a transaction, seconds from commit to hash; the median of all rounds."""

    def __init__(self):
        self.rates, self.latencies, self.seen = [], [], []

    def add(self, load, probe):
        self.rates.append(load["changes"] / load["seconds"])
        self.latencies.append([percentile(load["latencies"], share) for share in (0.5, 0.99)])
        self.seen.append([percentile(probe["seen"], share) for share in (0.5, 0.99)])

    def medians(self):
        columns = [self.rates, *zip(*self.latencies), *zip(*self.seen)]
        return [statistics.median(column) for column in columns]

    def __str__(self):
        rate, *times = self.medians()
        return (f"{rate:.0f} changes/s, transactions p50 {times[0] * 1000:.2f} p99 {times[1] * 1000:.2f} ms, "
                f"commit to hash p50 {times[2] * 1000:.0f} p99 {times[3] * 1000:.0f} ms")


def run_round(scene, figures, rate):
    scene.start_load(rate)
    scene.rest(SECONDS)
    figures.add(scene.load.finish(), scene.probe.finish())
    scene.load = None
    scene.until_caught_up()


def compare_with_held(scene, rate):
    """{what is held: its figures}, the rounds of all ways interleaved."""
    figures = {name: Figures() for name in ("none", *HELD)}
    for _ in range(ROUNDS):
        for name, found in scene.dice.sample(list(figures.items()), len(figures)):
            connection = hold(scene, HELD[name]) if name in HELD else None
            run_round(scene, found, rate)
            if connection:
                commits(connection)
                scene.db.sql("INSERT INTO event VALUES (3, 1, 'back', now() + interval '9 days') ON CONFLICT DO NOTHING")
    return figures


def test_transaction_held_open(stage, report):
    """The others are as fast as without it, at full speed and at a steady rate."""
    stage = stage(workers=2)
    with stage as scene:
        fast = compare_with_held(scene, FULL_SPEED)
        steady = compare_with_held(scene, 1000)
    for what, figures in (("full speed", fast), ("1000 changes/s", steady)):
        for name, found in figures.items():
            report(f"transaction held open, {what:<14} {name:<22} {found}")
    for name in HELD:
        assert fast[name].medians()[0] > 0.9 * fast["none"].medians()[0], f"throughput with one {name}"
        for held, free in zip(steady[name].medians()[1:], steady["none"].medians()[1:]):
            assert held < 1.1 * free + 0.005, f"latency with one {name}: {held:.4f} s, without {free:.4f} s"
    assert not stage.result.differences and not stage.result.outdated


@pytest.mark.parametrize("held", HELD)
def test_log_is_bounded_while_a_transaction_is_open(stage, report, held):
    """Short look-back, so that the log tables turn all the time; the transaction is older than all of it."""
    stage = stage(workers=2, settings={"look_back": "2 s"})
    sizes = []
    with stage as scene:
        connection = hold(scene, HELD[held])
        scene.start_load(3000)
        for _ in range(60):
            scene.rest(0.5)
            sizes.append(log_bytes(scene))
        assert held != "that changed documents" or scene.box.hash("event:1")["name"] != "held"
        commits(connection)
        scene.until_caught_up()
        if held == "that changed documents":
            assert scene.box.hash("event:1")["name"] == "held" and scene.box.hash("event:3") is None
        scene.db.sql("INSERT INTO event VALUES (3, 1, 'back', now() + interval '9 days') ON CONFLICT DO NOTHING")
    stage.result.check()
    early, late = max(sizes[:30]), max(sizes[30:])
    report(f"changelog while a transaction {held} is open: largest {early >> 10} kB in the first 15 s, {late >> 10} kB in the next, "
           f"{stage.result.rate:.0f} changes/s")
    assert late < 1.3 * early


@pytest.fixture
def other(workspace):
    """A second Redis, for a second fleet."""
    server = RedisServer(os.path.join(workspace, "other"))
    server.start()
    yield server
    server.remove()


LAG_ROWS = 20_000


@pytest.mark.parametrize("beside", (True, False), ids=("another fleet lives", "nobody lives"))
def test_fleet_stopped_for_long(stage, report, other, beside):
    """max_lag cuts the changelog, the disk is bounded, and the fleet is right when it is back."""
    stage = stage(workers=2, settings={"look_back": "2 s", "max_lag": {"rows": LAG_ROWS, "age": "1 day"}})
    with stage as scene:
        if beside:
            start_other_fleet(scene, other)
        scene.end_own_workers()
        scene.start_load(FULL_SPEED)
        sizes = sizes_by_changes(scene, 4 * LAG_ROWS)
        cut = scene.db.value("SELECT cut_at IS NOT NULL FROM pgusher.fleet WHERE name = 'default'")
        scene.start_workers()
        scene.rest(1)
    stage.result.check(covered=False)
    early = max(size for changes, size in sizes if changes <= 2 * LAG_ROWS)
    late = max(size for changes, size in sizes if changes > 2 * LAG_ROWS)
    report(f"fleet stopped during {sizes[-1][0]} changes ({'another lives' if beside else 'nobody lives'}), max_lag {LAG_ROWS} rows: "
           f"changelog at most {early >> 10} kB in the first half, {late >> 10} kB in the second")
    assert cut or not beside
    assert late < 1.3 * early


def sizes_by_changes(scene, changes):
    """(changes that were logged or dropped, bytes of the changelog), until there were so many."""
    def since():
        return scene.db.value("SELECT last_value FROM pgusher.changelog_seq") - before
    sizes, before = [], 0
    before = since()
    while not sizes or sizes[-1][0] < changes:
        scene.rest(0.25)
        sizes.append((since(), log_bytes(scene)))
    return sizes


def start_other_fleet(scene, redis):
    usual, scene.box.path = scene.box.path, scene.box.path + ".other"
    scene.configure(fleet="other", redis=redis.url)
    scene.box.install()
    scene.others = [scene.box.start()]
    scene.box.path = usual
    scene.configure()
