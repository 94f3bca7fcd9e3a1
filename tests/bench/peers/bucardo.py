"""Bucardo 5.6 with its Redis target, as Debian's packages bucardo, postgresql-plperl and libredis-perl have it.

It copies rows as they are, so it follows the tickets alone: no joins, no event documents, no expiry, no queue.
"""
import atexit
import glob
import os
import shutil
import signal
import subprocess
import sys

from contestants import SENTINEL, Contestant, wait_until
from harness.processes import run

BUCARDO = "Bucardo, tickets only"
DB = 4
PERL = "use Bucardo; use Redis; use DBD::Pg"


def bucardo(box):
    """None where it is not installed."""
    perl = shutil.which("perl") and subprocess.run(["perl", "-e", PERL], capture_output=True, check=False)
    languages = box.db.value("SELECT count(*) FROM pg_available_extensions WHERE name = 'plperlu'")
    if shutil.which("bucardo") and perl.returncode == 0 and languages:
        return Bucardo(box)
    print("skipped: Bucardo, which is not installed", file=sys.stderr)
    return None


class Bucardo(Contestant):
    def __init__(self, box):
        super().__init__(box, BUCARDO, DB)
        self.pid_folder = os.path.join(box.folder, "bucardo")
        self.price = 1
        os.mkdir(self.pid_folder)
        atexit.register(self.stop)  # its processes are nobody's children

    def tool(self, *words):
        cluster = self.box.db.cluster.folder
        argv = ["/usr/bin/env", f"REDIS_SERVER=unix:{self.box.redis.socket}", "bucardo", "--dbhost", cluster, "--dbuser", "postgres",
                "--dbname", "bucardo", *words]
        done = run(argv, folder=self.box.folder)
        assert done.returncode == 0, done.stdout + done.stderr

    def capture(self):
        self.tool("install", "--batch", "--quiet", "--piddir", self.pid_folder)
        self.tool("add", "db", "market", f"dbhost={self.box.db.cluster.folder}", f"dbname={self.box.db.name}", "dbuser=postgres")
        self.tool("add", "db", "cache", "type=redis", f"dbname={DB}")
        self.tool("add", "table", "public.ticket", "db=market", "relgroup=cards")
        self.tool("add", "sync", "cards", "relgroup=cards", "dbs=market:source,cache:target", "autokick=1")

    def start(self):
        self.tool("start", "--log-destination", "none", "--piddir", self.pid_folder)
        self.settled()

    def stop(self):
        for path in glob.glob(os.path.join(self.pid_folder, "*.pid")):
            with open(path, encoding="ascii") as file:
                self.end(int(file.readline()))
            os.remove(path)

    kill = stop

    @staticmethod
    def end(pid):
        try:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8") as words:
                ours = "Bucardo" in words.read()
            if ours:
                os.kill(pid, signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            pass

    def away(self):
        self.stop()  # what changes meanwhile is kept in a table

    def back(self):
        self.tool("start", "--log-destination", "none", "--piddir", self.pid_folder)

    def settled(self):
        """A batch is written in any order: when a change made after it has come, it is complete."""
        for _ in range(2):
            self.price = self.price % 9000 + 1
            self.box.db.sql("UPDATE ticket SET price = %s WHERE id = %s", self.price, SENTINEL)
            wait_until(lambda: float(self.hget(f"ticket:{SENTINEL}", "price") or -1) == self.price, "Bucardo put the last change")
