"""A private PostgreSQL cluster on a unix socket, and databases in it."""
import contextlib
import glob
import itertools
import os
import re
import shutil
import signal

import psycopg2

from .processes import end, give_to_server_user, run, server_user, spawn
from .waiting import until

BINARIES = max(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))

# Text-shaping settings are set against the grain: a program that does not pin its own writes other bytes.
SETTINGS = {
    "listen_addresses": "", "max_connections": 100, "shared_preload_libraries": "pg_stat_statements",
    "fsync": "off", "full_page_writes": "off", "max_wal_size": "4GB", "log_min_duration_statement": -1,
    "pg_stat_statements.track_utility": "on", "TimeZone": "America/New_York", "DateStyle": "SQL, DMY",
    "IntervalStyle": "sql_standard", "bytea_output": "escape", "lc_messages": "C",
}


def program(name):
    return os.path.join(BINARIES, name)


# What a standby needs of its primary, and to follow without pauses.
REPLICATING = {"wal_level": "replica", "max_wal_senders": 5, "hot_standby": "on", "wal_keep_size": "128MB",
               "wal_retrieve_retry_interval": "200ms"}


class Cluster:
    """settings: beside SETTINGS; prefix: the command it is started by, ip netns exec for one."""

    def __init__(self, folder, settings=None, prefix=(), primary=None):
        self.folder = folder
        self.settings = {**SETTINGS, **(settings or {})}
        self.prefix = prefix
        self.data = os.path.join(folder, "data")
        self.log = os.path.join(folder, "postgres.log")
        self.process = None
        self._serial = itertools.count(1)
        os.mkdir(folder)
        give_to_server_user(folder)
        self._copy(primary) if primary else self._initdb()

    def _initdb(self):
        done = run([program("initdb"), "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                    "--locale=C.UTF-8", "--no-sync"], user=server_user())
        assert done.returncode == 0, done.stderr
        path = os.path.join(self.data, "pg_hba.conf")
        with open(path) as file:
            rules = file.read()
        with open(path, "w") as file:
            file.write("local all locked scram-sha-256\n" + rules)

    def _copy(self, primary):
        done = run([program("pg_basebackup"), "-h", primary.folder, "-U", "postgres", "-D", self.data, "-R", "-X", "stream",
                    "-c", "fast", "--no-sync"], user=server_user())
        assert done.returncode == 0, done.stderr

    def standby(self, folder, **settings):
        """A running standby of this cluster, which must have been started with REPLICATING."""
        standby = Cluster(folder, {**self.settings, **settings}, primary=self)
        standby.start()
        return standby

    def promote(self):
        done = run([program("pg_ctl"), "promote", "-D", self.data, "-w"], user=server_user())
        assert done.returncode == 0, done.stdout + done.stderr

    def upgrade(self, folder):
        """pg_upgrade of this cluster, which is stopped, into a new one."""
        new = Cluster(folder, self.settings)
        done = run([program("pg_upgrade"), "-b", BINARIES, "-B", BINARIES, "-d", self.data, "-D", new.data, "-U", "postgres",
                    "-s", new.folder], user=server_user(), folder=new.folder, seconds=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return new

    def start(self):
        options = [f"--{name}={value}" for name, value in self.settings.items()]
        with open(self.log, "ab") as log:
            self.process = spawn([*self.prefix, program("postgres"), "-D", self.data,
                                  f"--unix_socket_directories={self.folder}", *options], log,
                                 user=None if self.prefix else server_user(), on_death=signal.SIGINT)
        until(self.is_up, 30, "PostgreSQL accepts connections")

    def is_up(self):
        assert self.process.poll() is None, open(self.log).read()[-2000:]
        try:
            psycopg2.connect(self.conninfo("postgres")).close()
            return True
        except psycopg2.OperationalError:
            return False

    def stop(self, sign=signal.SIGINT):
        """SIGINT is a fast shutdown, SIGQUIT an immediate one (a crash)."""
        if self.process:
            end(self.process, sign)
            self.process = None

    def freeze(self):
        """SIGSTOP to the server and every process of it."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self):
        self._signal_all(signal.SIGCONT)

    def crash(self):
        """Power off: no process of it lives on for a moment, as backends do when only their parent is killed."""
        self._signal_all(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def _signal_all(self, sign):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as file:
            for pid in [self.process.pid, *map(int, file.read().split())]:
                with contextlib.suppress(ProcessLookupError):  # a session may end meanwhile
                    os.kill(pid, sign)

    def remove(self):
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder)

    def conninfo(self, database, user="postgres"):
        return f"host={self.folder} dbname={database} user={user}"

    def create(self, template="template1", name=None):
        name = name or f"test_{next(self._serial)}"
        self.admin(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return Database(self, name)

    def database(self, name):
        """One that exists already."""
        return Database(self, name)

    def admin(self, statement, *values):
        return Database(self, "postgres").once(statement, *values)

    def log_size(self):
        return os.path.getsize(self.log)

    def complaints(self, since=0):
        """Errors that the server logged after that position, without the tests' own noise."""
        if not os.path.exists(self.log):
            return []
        with open(self.log, errors="replace") as file:
            file.seek(since)
            return [line for line in file if re.search(r"(ERROR|FATAL|PANIC):", line)]


class Database:
    def __init__(self, cluster, name):
        self.cluster = cluster
        self.name = name
        self._connection = None

    def conninfo(self, user="postgres"):
        return self.cluster.conninfo(self.name, user)

    def connect(self, user="postgres", autocommit=False):
        connection = psycopg2.connect(self.conninfo(user), application_name="test")
        connection.autocommit = autocommit
        return connection

    def sql(self, statement, *values):
        """Runs on one kept autocommit connection (a new one after a restart); rows or []."""
        if self._connection is None or self._connection.closed:
            self._connection = self.connect(autocommit=True)
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, statement, *values):
        rows = self.sql(statement, *values)
        return rows[0][0] if rows else None

    def once(self, statement, *values):
        try:
            return self.sql(statement, *values)
        finally:
            self.disconnect()

    def disconnect(self):
        if self._connection:
            self._connection.close()
            self._connection = None

    def drop(self):
        self.disconnect()
        self.cluster.admin(f'DROP DATABASE "{self.name}" WITH (FORCE)')

    def dump(self, *options):
        """pg_dump of the definitions: two equal dumps are two equal databases."""
        done = run([program("pg_dump"), "--schema-only", *options, self.conninfo()])
        assert done.returncode == 0, done.stderr
        return re.sub(r"(?m)^\\(un)?restrict .*$", "", done.stdout.decode())  # random since 15.14

    def psql(self, script):
        return run([program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", self.conninfo()], input=script.encode())

