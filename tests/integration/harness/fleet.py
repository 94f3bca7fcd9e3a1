"""Who owns what in a fleet of workers, by the locks that PostgreSQL shows; and a second fleet."""
import contextlib
import os
import shutil
import threading
import time
from collections import Counter

from .box import OWNER, Box
from .redis_server import RedisServer

OWNERS = f"""
    SELECT objid::bigint & 1023, pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE d.datname = current_database() AND locktype = 'advisory' AND classid = {OWNER}
      AND objid::bigint / 1024 = (SELECT number FROM pgusher.fleet WHERE name = %s) AND objsubid = 2 AND granted"""


def owners(db, fleet="default"):
    """Backend pid by partition. Locks are exclusive, so nothing can be owned twice at one moment."""
    rows = db.sql(OWNERS, fleet)
    assert len(rows) == len({part for part, _ in rows}), f"a partition is owned twice: {rows}"
    return dict(rows)


def shares(db, fleet="default"):
    """How many partitions each worker owns, fewest first."""
    return sorted(Counter(owners(db, fleet).values()).values())


class Watch:
    """Samples the owners in the background: how long was any partition without one?"""

    def __init__(self, db, partitions=16, every=0.02):
        self.db, self.partitions, self.every = db, partitions, every
        self.longest_gap = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        connection = self.db.connect(autocommit=True)
        cursor = connection.cursor()
        owned_at = {part: time.monotonic() for part in range(self.partitions)}
        while not self._over.wait(self.every):
            cursor.execute(OWNERS, ("default",))
            now, owned = time.monotonic(), {part for part, _ in cursor.fetchall()}
            for part, since in owned_at.items():
                self.longest_gap = max(self.longest_gap, now - since)
                if part in owned:
                    owned_at[part] = now
        connection.close()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()


@contextlib.contextmanager
def box_beside(box, workspace):
    """A box on the same database with a Redis of its own, for another fleet."""
    folder = os.path.join(workspace, "beside")
    server = RedisServer(os.path.join(workspace, "redis-beside"))
    os.mkdir(folder)
    beside = Box(folder, box.db, server)
    try:
        server.start()
        yield beside
    finally:
        beside.stop()
        shutil.rmtree(folder)
        server.remove()
