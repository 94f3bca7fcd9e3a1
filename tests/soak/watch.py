"""What is sampled all the time: owners of partitions, memory and descriptors of the programs, size of the changelog; and their logs."""
import os
import re
import threading
import time

import psycopg2

from helpers import Owners

LOG_SIZE = """SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
              WHERE c.relnamespace = 'pgusher'::regnamespace AND c.relkind = 'r' AND c.relname LIKE 'changelog%'"""

# Lines of level error that a storm explains. Everything else of that level is a finding, and so is what no outage makes PostgreSQL say.
EXPLAINED = re.compile(r"""trying\ again\ in | is\ tried\ again\ in | which\ dates\ passed\ cannot\ be\ read
                           | msg="([\w.]+(\ \w+)?:\ )?(PostgreSQL|Sentinel|Redis)\b  # a server was away while it ended
                           | stopping:\ the\ page\ at\ hand\ took\ too\ long
                           | unexpected\ token\ near\ end\ of\ file | reload:  # a bad configuration was given to it""", re.VERBOSE)
MISTAKES = re.compile(r"SQLSTATE (0A|22|23|42|54|XX)")
_LEVEL = re.compile(r"\blevel=error\b")


def unexplained(path):
    with open(path, errors="replace") as file:
        return [line.rstrip() for line in file if _LEVEL.search(line) and (MISTAKES.search(line) or not EXPLAINED.search(line))]


class SoleOwners(Owners):
    """Also sees a partition that two sessions own at one moment."""

    def __init__(self, conninfo, partitions):
        super().__init__(conninfo, partitions)
        self.doubles = []

    def judge(self, rows, now):
        owners = dict(rows)
        if len(rows) != len(owners):
            self.doubles.append(rows)
        super().judge(rows, now)


def resident_kb(pid):
    with open(f"/proc/{pid}/status") as file:
        return next((int(line.split()[1]) for line in file if line.startswith("VmRSS:")), 0)


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Sampler(threading.Thread):
    """Peaks over the whole run."""

    PAUSE = 1.0

    def __init__(self, crews, conninfo):
        super().__init__(daemon=True)
        self.crews, self.conninfo = crews, conninfo
        self.stopped = threading.Event()
        self.resident_kb = self.descriptors = self.changelog_bytes = 0
        self.deserters = []
        self.samples = 0

    def run(self):
        while not self.stopped.wait(self.PAUSE):
            for crew in self.crews:
                self.deserters = self.deserters or [f"{one.argv[0]} ended with {one.process.returncode}" for one in crew.deserters()]
                for one in crew.alive():
                    self._look_at(one.process.pid)
            self._look_at_changelog()
            self.samples += 1

    def _look_at(self, pid):
        try:
            self.resident_kb = max(self.resident_kb, resident_kb(pid))
            self.descriptors = max(self.descriptors, descriptors(pid))
        except OSError:
            pass  # it has just ended

    def _look_at_changelog(self):
        try:
            connection = psycopg2.connect(self.conninfo, application_name="sampler", connect_timeout=1)
            with connection, connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = '2s'")
                cursor.execute(LOG_SIZE)
                self.changelog_bytes = max(self.changelog_bytes, cursor.fetchone()[0])
            connection.close()
        except psycopg2.Error:
            pass

    def finish(self):
        self.stopped.set()
        self.join()


class Leaks:
    """Descriptors and memory of the programs in calm: who lives through several calms must not grow from one to the next."""

    MORE_DESCRIPTORS = 4
    MORE_KB = 30_000

    def __init__(self):
        self._first = {}  # pid: (descriptors, resident kB) in its first calm
        self.longest = 0  # calms that one process lived through
        self._calms = {}

    def look(self, crews):
        """Lines about those that grew."""
        found = []
        for one in (one for crew in crews for one in crew.alive()):
            pid = one.process.pid
            now = (descriptors(pid), resident_kb(pid))
            first = self._first.setdefault(pid, now)
            self._calms[pid] = self._calms.get(pid, 0) + 1
            if now[0] > first[0] + self.MORE_DESCRIPTORS or now[1] > first[1] + self.MORE_KB:
                found.append(f"{one.argv[0]} {pid}: (descriptors, kB) were {first} in its first calm and are {now}")
        self.longest = max(self._calms.values(), default=0)
        return found


def clock():
    return time.strftime("%H:%M:%S")
