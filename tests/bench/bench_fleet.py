"""A backlog that four workers drain together, against one worker alone. CHANGES says how many changes (150,000)."""
import contextlib
import os
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
from harness.box import Box, projection  # noqa: E402 (its folder must be known first)
from harness.postgres import Cluster, program  # noqa: E402
from harness.redis_server import RedisServer  # noqa: E402
from report import OURS, Row, Samples, first_line, publish, table  # noqa: E402

CHANGES = int(os.environ.get("CHANGES", 150_000))
ITEMS = 100_000
LIMIT_S = 300
DRAIN, ONE = f"drain of {CHANGES:,} changes, four workers", "one worker"
ROWS = [Row(DRAIN, ONE, predicted="1.1", at_least=1)]
PASSED = "SELECT bool_and(pgusher.covers(done, %s)) FROM pgusher.cursor"


@contextlib.contextmanager
def marketplace():
    """A table, its documents in Redis, and nobody at work."""
    folder = tempfile.mkdtemp(prefix="pgusher-bench.", dir="/tmp")
    os.chmod(folder, 0o755)
    cluster, redis = Cluster(os.path.join(folder, "pg")), RedisServer(os.path.join(folder, "redis"))
    try:
        cluster.start()
        redis.start()
        box = Box(folder, cluster.create(), redis)
        box.db.sql(f"""CREATE TABLE item (id int PRIMARY KEY, n int, name text) WITH (fillfactor = 50);
                       CREATE VIEW item_card AS SELECT id, n, name FROM item;
                       INSERT INTO item SELECT id, 0, 'item ' || id FROM generate_series(1, {ITEMS}) id""")
        box.db.sql("VACUUM ANALYZE item")
        box.use({"item": projection("item_card", {"item": "id"}, key="i:{id}", queues=["{search}"])}, look_back="10 s")
        box.install()
        box.pgusher("backfill").must(0)
        yield box
    finally:
        redis.remove()
        cluster.remove()
        shutil.rmtree(folder)


def backlog(box):
    box.redis.client.delete("{search}", "{search}:marks")
    for first in range(0, CHANGES, ITEMS):
        box.db.sql("UPDATE item SET n = n + 1 WHERE id <= %s", min(ITEMS, CHANGES - first))
    return box.db.value("SELECT pg_current_snapshot()")


def drain(box, workers):
    """Seconds from the start of the workers until their cursors have passed everything."""
    end = backlog(box)
    began = time.monotonic()
    for _ in range(workers):
        box.start()
    box.until(lambda: box.db.value(PASSED, end), LIMIT_S, lambda: box.daemons[-1].log, every=0.05)
    took = time.monotonic() - began
    box.stop()
    found = box.differences()
    assert not found, found[:5]
    return took


def main():
    rounds = int(os.environ.get("ROUNDS", 3))
    samples = Samples({DRAIN: "{:,.0f}/s"})
    with marketplace() as box:
        drain(box, 1)
        for _ in range(rounds):
            samples.add(DRAIN, OURS, CHANGES / drain(box, 4))
            samples.add(DRAIN, ONE, CHANGES / drain(box, 1))
    versions = [first_line(program("postgres"), "--version"),
                first_line("redis-server", "--version").partition(" sha=")[0]]
    publish("fleet", rounds, ", ".join(versions), table(samples, ROWS))


main()
