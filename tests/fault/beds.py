"""The servers that a cell runs on. A bed is used again by the next cell that wants its kind, unless a cell failed on it or wore it out."""
import os
import shutil

from harness import ticketing
from harness.postgres import Cluster
from harness.redis_server import RedisServer

EVENTS = int(os.environ.get("EVENTS", 4000))  # each with three tickets
DATABASE = "box_office"


class Bed:
    """One PostgreSQL and one Redis whose data survive a restart."""

    redis_options = ("--appendonly", "yes")

    def __init__(self, folder):
        os.mkdir(folder)
        self.folder = folder
        self.parts = []  # what remove() ends, last first
        self.fresh = True  # nobody has filled it yet
        self.start_postgres()
        self.start_redis()

    def add(self, part):
        self.parts.append(part)
        return part

    def start_postgres(self):
        self.cluster = self.add(Cluster(os.path.join(self.folder, "pg")))
        self.cluster.start()
        self.populate()

    def start_redis(self):
        self.redis = self.add(RedisServer(os.path.join(self.folder, "redis"), *self.redis_options))
        self.redis.start()

    def populate(self):
        self.db = self.cluster.create(name=DATABASE)
        self.db.sql(ticketing.schema())
        self.db.sql("CALL grow(10, %s)", EVENTS)
        self.db.sql("ANALYZE")

    def conninfo(self):
        """What programs connect to: every host that may be the primary."""
        return self.db.conninfo()

    def remove(self):
        self.db.disconnect()
        for part in reversed(self.parts):
            part.remove()
        shutil.rmtree(self.folder, ignore_errors=True)


class Volatile(Bed):
    """A Redis that comes back empty."""

    redis_options = ("--appendonly", "no")


class Beds:
    """The beds that are there, by kind; at most one of each."""

    def __init__(self, folder):
        self.folder = folder
        self._made = {}
        self._serial = 0

    def get(self, kind):
        if kind not in self._made:
            self._serial += 1
            self._made[kind] = kind(os.path.join(self.folder, f"{kind.__name__.lower()}{self._serial}"))
        return self._made[kind]

    def discard(self, kind):
        if kind in self._made:
            self._made.pop(kind).remove()

    def remove(self):
        for kind in list(self._made):
            self.discard(kind)
