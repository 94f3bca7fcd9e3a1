"""The servers of the soak: PostgreSQL with a standby, Redis with two replicas and three sentinels."""
import os

from beds import DATABASE, EVENTS
from harness import locales, ticketing
from harness.postgres import Database
from pair import AsynchronousPair
from redis_beds import Watched

with open(os.path.join(os.path.dirname(__file__), "market.sql")) as _file:
    MARKET = _file.read()


def projections():
    return {**ticketing.projections(), **locales.projections()}


class Ground(Watched, AsynchronousPair):
    def populate(self):
        self.db = self.cluster.create(name=DATABASE)
        for text in (ticketing.schema(), MARKET, locales.SCHEMA):
            self.db.sql(text)
        self.db.sql("CALL grow(10, %s)", EVENTS)
        self.db.sql("ANALYZE")

    def renew_standby(self):
        """A new one in place of the primary that was lost, under its old address."""
        lost = self.standby
        self.parts.remove(lost)
        folder = lost.folder
        lost.remove()
        self.standby = self.add(self.cluster.standby(folder))

    def database(self):
        """Of one's own: a connection is not shared between threads."""
        return Database(self.cluster, DATABASE)
