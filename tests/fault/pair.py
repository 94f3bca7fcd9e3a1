"""Beds of two PostgreSQL: a primary and the standby that takes over from it."""
import os

from harness.postgres import REPLICATING, Cluster, Database

from beds import DATABASE, Bed


class AsynchronousPair(Bed):
    names = ""  # synchronous_standby_names

    def start_postgres(self):
        self.cluster = self.add(Cluster(os.path.join(self.folder, "pg"), REPLICATING))
        self.cluster.start()
        self.populate()
        self.standby = self.add(self.cluster.standby(os.path.join(self.folder, "standby")))
        self.admin(f"ALTER SYSTEM SET synchronous_standby_names = '{self.names}'", "SELECT pg_reload_conf()")

    def admin(self, *statements):
        for statement in statements:
            self.cluster.admin(statement)

    def conninfo(self):
        hosts = ",".join(cluster.folder for cluster in (self.cluster, self.standby))
        return f"host={hosts} dbname={DATABASE} user=postgres target_session_attrs=read-write"

    def replicating(self):
        return self.db.value("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")

    def detach(self):
        """What is committed from here on the standby will never have."""
        for statement in ("ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()"):
            self.standby.admin(statement)

    def fail(self):
        self.db.disconnect()
        self.cluster.crash()

    def take_over(self):
        self.standby.promote()
        self.cluster, self.standby = self.standby, self.cluster
        self.db = Database(self.cluster, DATABASE)


class SynchronousPair(AsynchronousPair):
    names = "*"
