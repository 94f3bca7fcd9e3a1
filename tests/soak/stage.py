"""The soak at work: the ground it stands on, its programs, its traffic, and what the faults ask of it.

To the faults it is what a scene is to those of the fault table. Each lane is a thread with its own dice and its own connection to
PostgreSQL, and sees the crew it is about.
"""
import json
import os
import shutil
import threading
import time

import psycopg2
import pytest
import redis

from beds import DATABASE, EVENTS
from harness.waiting import until
from helpers import Tool
from scene import Scene
from tools.load import RESERVED

from crew import END_SECONDS, Consumers, Workers
from ground import Ground, projections
from ledger import Ledger
from watch import Leaks, Sampler, SoleOwners, clock

SEARCH, MIRROR = "{search}", "{mirror}"
RATE = float(os.environ.get("RATE", 200))  # changes per second that the traffic asks for
PATIENCE = 4  # the machine may be busy: what takes seconds in the fault table may take so many times more
PARTITIONS = 16


class Helper(Tool):
    """A process beside the programs, with its script here."""

    folder = os.path.dirname(os.path.abspath(__file__))


class Own:
    """An attribute that each thread has for itself."""

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, soak, owner):
        return getattr(soak.own, self.name)

    def __set__(self, soak, value):
        setattr(soak.own, self.name, value)


class Soak(Scene):
    dice, hold, after, lane = Own(), Own(), Own(), Own()

    def __init__(self, folder, schedule):
        self.own = threading.local()
        self.ending = threading.Event()
        self.diary = []
        self.crews = {}
        self.losses = set()  # which of the servers forgot what it had, in this round
        self.config_epoch = 0  # of the sentinels when the round began
        self.sampler = self.ledger = self.mirror = self.reader = None
        super().__init__(Ground(folder), 3, schedule.seed)
        self.settings = {**schedule.settings, "sweep": "1 s", "queues": {SEARCH: {"lease": "5 s"}}}
        self.roads = [self.relay(os.path.join(cluster.folder, ".s.PGSQL.5432")) for cluster in (self.bed.cluster, self.bed.standby)]
        self.leaks = Leaks()

    @property
    def db(self):
        """Of the primary, by a connection that no other thread uses."""
        if getattr(self.own, "cluster", None) is not self.bed.cluster:
            self.own.cluster, self.own.database = self.bed.cluster, self.bed.database()
        return self.own.database

    @property
    def crew(self):
        """Of the lane that asks."""
        return self.crews[self.lane]

    # the programs

    def prepare(self):
        """Capture, all documents in Redis, and every program at work."""
        watched = {name: {**one, "queues": [SEARCH, MIRROR]} for name, one in projections().items()}
        self.box.use(watched, postgres=self.bed.conninfo(), redis=self.bed.redis.url, **self.settings)
        self.box.install()
        self.box.pgusher("backfill").must(0)
        self.ledger = Ledger(os.path.join(self.folder, "ledger"), self.bed.redis.client)
        detour = " ".join((f"host={','.join('127.0.0.1' for _ in self.roads)}", f"port={','.join(str(road.port) for road in self.roads)}",
                           f"dbname={DATABASE} user=postgres sslmode=disable target_session_attrs=read-write"))
        configs = [self.box.config, self.box.config, {**self.box.config, "postgres": detour}]
        self.crews = {"workers": Workers(os.path.join(self.folder, "workers"), configs),
                      "consumers": Consumers(os.path.join(self.folder, "consumers"), self.bed.redis.url, SEARCH, self.ledger)}
        for crew in self.crews.values():
            crew.fill()
        self.owners = SoleOwners(self.bed.conninfo(), PARTITIONS)
        self.sampler = Sampler(list(self.crews.values()), self.bed.conninfo())
        self.owners.start(), self.sampler.start()

    def config_text(self, number):
        return json.dumps(self.crews["workers"].configs[number])

    def helper(self, kind, name, *arguments):
        self.tools.append(kind(name, *arguments))
        return self.tools[-1]

    def failed_over(self):
        """Whether another Redis was made the primary in this round."""
        return self.bed.redis.config_epoch() != self.config_epoch

    def forgotten(self):
        """Who forgot what in this round: "redis" and "postgres" what they had, a "failover" of Redis the last of it."""
        return self.losses | ({"failover"} if self.failed_over() else set())

    def begin(self, drawn):
        """Traffic, and what records; each round has its own."""
        self.tools, self.losses = [], set()
        self.config_epoch = self.bed.redis.config_epoch()
        self.mirror = self.helper(Tool, "indexer", self.bed.redis.url, MIRROR)
        self.reader = self.helper(Helper, "reader", RESERVED, *(node.port for node in self.bed.redis.nodes))
        for helper in (self.mirror, self.reader):
            helper.ready(seconds=300)
        self.load = self.helper(Helper, "traffic", self.bed.conninfo(), RATE, drawn.traffic, EVENTS)

    def end_programs(self):
        for crew in self.crews.values():
            crew.end()

    # what faults ask for

    def rest(self, seconds):
        """Lets time pass; nothing goes on once the soak is being ended, or a program ended by itself."""
        if self.ending.wait(seconds):
            raise KeyboardInterrupt
        if self.sampler and self.sampler.deserters:
            pytest.fail(self.sampler.deserters[0])

    def until(self, condition, seconds, what):
        """A server that does not answer in time is asked again."""
        def met():
            self.rest(0)
            try:
                return condition()
            except (redis.RedisError, psycopg2.Error):
                self.db.disconnect(), self.bed.db.disconnect()
                return None
        return until(met, seconds * PATIENCE, what, every=0.1)

    def listens(self, program):
        """A program that was just started is yet to begin to listen to signals."""
        self.until(lambda: program.log or program.died(), 30, "it says something")
        return program

    def ends(self, program):
        """It exits with 0 on SIGTERM."""
        self.listens(program).stop(seconds=END_SECONDS)

    def tell(self, text):
        self.diary.append(f"{clock()} {text}")

    # the end

    def figures(self):
        sampler = self.sampler
        if not sampler:
            return "nothing was sampled"
        return (f"most memory {sampler.resident_kb} kB, most descriptors {sampler.descriptors}, changelog at most "
                f"{sampler.changelog_bytes >> 10} kB, longest time a partition had no owner {self.owners.orphaned:.1f} s, "
                f"one process lived through {self.leaks.longest} calms")

    def keep_story(self, folder):
        """Diary and logs, for who wants to know why it failed."""
        print("".join(f"{line}\n" for line in self.diary[-60:]))
        for crew in self.crews.values():
            for one in crew.places:
                print(f"== {one.argv} {one.process.pid}\n{one.log[-1500:]}") if one else None
        if folder:
            shutil.copytree(self.bed.folder, os.path.join(folder, f"soak-{self.seed}"), dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns("data", "*.sock", ".s.*", "appendonlydir"))
            print(f"kept in {folder}")

    def close(self):
        self.ending.set()
        for thread in (self.owners, self.sampler):
            if thread:
                thread.stopped.set()
        for crew in self.crews.values():
            crew.kill()
        for tool in self.tools:
            tool.kill()
        for road in self.relays:
            road.stop()
        time.sleep(0)
        self.bed.remove()
