"""A table of small rows, each a document: as many as one likes, for what must not depend on how many there are."""
import contextlib
import os
import shutil
import tempfile

from harness.box import Box, projection
from harness.postgres import Cluster
from harness.redis_server import RedisServer
from market import SETTINGS

SCHEMA = """
    CREATE TABLE item (id int PRIMARY KEY, part int NOT NULL, n int NOT NULL DEFAULT 0, name text NOT NULL) WITH (fillfactor = 50);
    CREATE TABLE part (id int PRIMARY KEY, name text NOT NULL);
    CREATE VIEW item_card AS SELECT i.id, i.n, i.name, p.name AS part FROM item i JOIN part p ON p.id = i.part"""
LOOKUP = {"column": "id", "lookup": "SELECT id FROM item WHERE part = ANY($1)"}


def projections(others=0):
    """Of the items, and of so many tables that never change."""
    found = {"item": projection("item_card", {"item": "id", "part": LOOKUP}, key="i:{id}", queues=["{search}"])}
    for i in range(others):
        found[f"other_{i}"] = projection(f"other_{i}", {f"other_{i}": "id"}, key=f"o{i}:{{id}}", queues=["{search}"])
    return found


def make_others(db, others):
    for i in range(others):
        db.sql(f"CREATE TABLE IF NOT EXISTS other_{i} (id int PRIMARY KEY, n int); INSERT INTO other_{i} VALUES (1, 1)")


@contextlib.contextmanager
def crowd():
    """A box with the empty tables."""
    folder = tempfile.mkdtemp(prefix="pgusher-bench.", dir="/tmp")
    os.chmod(folder, 0o755)
    cluster, redis = Cluster(os.path.join(folder, "pg"), {**SETTINGS, "fsync": "off"}), RedisServer(os.path.join(folder, "redis"))
    try:
        cluster.start()
        redis.start()
        box = Box(folder, cluster.create(), redis)
        box.db.sql(SCHEMA)
        yield box
        box.stop()
    finally:
        redis.remove()
        cluster.remove()
        shutil.rmtree(folder)


def fill(box, items, part="1 + id / 1000"):
    """Instead of what was there. part: an expression, which part an item belongs to."""
    box.db.sql("DROP INDEX IF EXISTS item_part_idx; TRUNCATE item, part")
    box.db.sql(f"INSERT INTO item SELECT id, {part}, 0, 'item ' || id FROM generate_series(1, {items}) id")
    box.db.sql("INSERT INTO part SELECT DISTINCT part, 'part ' || part FROM item")
    box.db.sql("CREATE INDEX item_part_idx ON item (part)")
    box.db.sql("VACUUM ANALYZE item, part")
