"""The processes beside the workers: load, indexer, probe; and what samples who owns which partition."""
import json
import os
import signal
import sys
import tempfile
import threading
import time

import psycopg2

from harness.processes import end, spawn
from harness.waiting import until

TOOLS = os.path.join(os.path.dirname(__file__), "tools")
OWNERSHIP = 1885828468  # first half of the advisory lock key; the second is number * 1024 + partition


class Tool:
    """A script of tools/ in a process of its own, which ends on SIGTERM with a JSON text on stdout."""

    folder = TOOLS

    def __init__(self, name, *arguments):
        self.name = name
        self._output, self._complaints = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self.process = spawn([sys.executable, "-B", os.path.join(self.folder, f"{name}.py"), *map(str, arguments)],
                             self._output, errors=self._complaints)

    def text(self, file):
        file.seek(0)
        return file.read().decode()

    def ready(self, seconds=30):
        """Waits for a first line."""
        until(lambda: "\n" in self.text(self._output) or self.process.poll() is not None, seconds, f"{self.name} is ready")
        assert self.process.poll() is None, self.text(self._complaints)

    def mark(self):
        """A new span of the probe begins."""
        self.process.send_signal(signal.SIGUSR1)

    def finish(self, seconds=30):
        code = end(self.process, signal.SIGTERM, seconds)
        text = self.text(self._output)
        assert code == 0, f"{self.name} exited with {code}: {text} {self.text(self._complaints)}"
        return json.loads(text.split("\n")[-1])

    def kill(self):
        if self.process.poll() is None:
            end(self.process, signal.SIGKILL)


class Owners(threading.Thread):
    """Samples pg_locks every 50 ms: who owns which partition of the fleet, and how long one had no owner."""

    PAUSE = 0.05
    QUERY = f"""SELECT objid::int & 1023, pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                WHERE locktype = 'advisory' AND classid = {OWNERSHIP} AND objsubid = 2 AND granted
                  AND datname = current_database() AND objid::int >> 10 = %s"""

    def __init__(self, conninfo, partitions, number=0):
        super().__init__(daemon=True)
        self.conninfo, self.partitions, self.number = conninfo, partitions, number
        self.stopped = threading.Event()
        self.owners = {}  # partition: pid of the session
        self.orphaned = 0.0  # the longest time without an owner, of any partition
        self._seen = {}  # partition: when it last had an owner
        self.samples = 0

    def run(self):
        connection = None
        while not self.stopped.wait(self.PAUSE):
            try:
                connection = connection or psycopg2.connect(self.conninfo, application_name="owners", connect_timeout=1)
                connection.autocommit = True
                cursor = connection.cursor()
                cursor.execute(self.QUERY, (self.number,))
                self.judge(cursor.fetchall(), time.monotonic())
            except psycopg2.Error:
                connection = connection and connection.close()

    def judge(self, rows, now):
        owners = dict(rows)
        for partition in range(self.partitions):
            if partition in owners:
                self._seen[partition] = now
            elif partition in self._seen:
                self.orphaned = max(self.orphaned, now - self._seen[partition])
        self.owners = owners
        self.samples += 1

    def forget(self):
        """From here on: for when nobody was there to own anything."""
        self._seen, self.orphaned = {}, 0.0

    def shares(self):
        """How many partitions each owner has, most first."""
        owners = list(self.owners.values())
        return sorted((owners.count(pid) for pid in set(owners)), reverse=True)

    def all_owned(self):
        return len(self.owners) == self.partitions

    def even(self, workers):
        shares = self.shares()
        return self.all_owned() and len(shares) == workers and shares[0] - shares[-1] <= 1

    def finish(self):
        self.stopped.set()
        self.join()
