"""One cell at work: workers on a bed, live load, an indexer, a probe; and the measures. See README.md."""
import os
import random
import shutil
import tempfile

from harness import ticketing
from harness.box import Box
from harness.relay import Relay
from harness.waiting import stays, until

from helpers import Owners, Tool

from beds import EVENTS

QUEUE = "{search}"
RATE = 1000  # changes per second that the load asks for; a cell must have had LEAST
LEAST = 500
CONNECTIONS = 4
PROBES, PROBE_RATE = 16, 5
BACKLOG = 30_000  # rows that change before the workers start, for the column "draining"
DRAINED = 4_000  # items queued when the fault strikes there

# Changes of partitions that their cursor has not passed, and that the snapshot %(upto)s sees.
UNREAD = """
    SELECT count(*) FROM pgusher.changelog c, pgusher.cursor k
    WHERE k.fleet = 'default' AND k.part = c.part
      AND c.xid >= (SELECT min(pg_snapshot_xmin(done)::text::bigint)::text::xid8 FROM pgusher.cursor WHERE fleet = 'default')
      AND NOT pg_visible_in_snapshot(c.xid, k.done) AND pg_visible_in_snapshot(c.xid, %s)"""


class Scene:
    def __init__(self, bed, workers, seed):
        self.bed = bed
        self.seed = seed
        self.wanted = workers
        self.relays = []
        self.tools = []
        self.load = self.indexer = self.probe = self.owners = None
        self.postgres = self.redis = None  # how workers reach them, if not directly
        self.detours = []  # how the first workers do, if not as the others
        self.folder = tempfile.mkdtemp(dir=bed.folder)
        self.box = Box(self.folder, bed.db, bed.redis)
        self.dice = random.Random(seed)
        self.log_start = bed.cluster.log_size()
        self.settings = {}  # more of the configuration
        self.notes = {}  # what a row has measured
        self.others = []  # workers of another fleet
        self.after = []  # what is to be called once the cell is over, to have the bed as it was

    # the stage

    def prepare(self):
        """Configuration, capture; on a fresh bed all documents, too."""
        self.configure()
        self.box.install()
        if self.bed.fresh:
            self.box.pgusher("backfill").must(0)
            self.bed.fresh = False
        self.indexer = self.tool("indexer", self.bed.redis.url, QUEUE)
        self.indexer.ready()

    def configure(self, **more):
        self.box.use(ticketing.projections(), **{"postgres": self.postgres or self.bed.conninfo(),
                                                 "redis": self.redis or self.bed.redis.url, **self.settings, **more})

    def tool(self, name, *arguments):
        self.tools.append(Tool(name, *arguments))
        return self.tools[-1]

    def relay(self, *addresses):
        self.relays.append(Relay(*addresses))
        return self.relays[-1]

    def relay_postgres(self):
        """From now on workers reach PostgreSQL through a relay."""
        relay = self.relay(os.path.join(self.bed.cluster.folder, ".s.PGSQL.5432"))
        self.postgres = f"{relay.conninfo} dbname={self.db.name} user=postgres sslmode=disable"
        return relay

    def relay_redis(self):
        relay = self.relay(self.bed.redis.socket)
        self.redis = relay.redis_url
        return relay

    def detour(self):
        """Only the first worker will use the relay that was made last."""
        self.detours.append({"postgres": self.postgres} if self.postgres else {"redis": self.redis})
        self.postgres = self.redis = None

    @property
    def db(self):
        return self.bed.db

    # workers

    def start_detoured(self, **servers):
        """Starts one worker that reaches a server another way than the others."""
        usual, self.box.path = self.box.path, os.path.join(self.folder, f"detour-{len(self.box.daemons)}.json")
        self.configure(**servers)
        worker = self.box.start()
        self.box.path = usual
        self.configure()
        return worker

    def start_workers(self, count=None):
        started = [self.start_detoured(**self.detours.pop()) for _ in range(len(self.detours))]
        started += [self.box.start() for _ in range((self.wanted if count is None else count) - len(started))]
        if self.owners is None:
            partitions = self.db.value("SELECT partitions FROM pgusher.meta")
            self.owners = Owners(self.bed.conninfo(), partitions)
            self.owners.start()
        return started

    def until_in_place(self):
        """Each worker has its share, and nothing is left to do."""
        self.until(lambda: self.owners.even(len(self.workers)), 10, "each worker has its share")
        self.until_caught_up()

    @property
    def workers(self):
        """Those that run."""
        return [daemon for daemon in self.box.daemons if daemon.alive()]

    # load

    def start_load(self, rate=RATE):
        self.load = self.tool("load", self.bed.conninfo(), rate, CONNECTIONS, self.seed, EVENTS)
        self.probe = self.tool("probe", self.bed.conninfo(), self.bed.redis.url, PROBES, PROBE_RATE)

    def make_backlog(self):
        """Tens of thousands of changes, in transactions of several sizes; every ticket and event that the load touches."""
        for first in range(31, 3 * EVENTS, 500):
            self.db.sql("UPDATE ticket SET price = price + 1 WHERE id BETWEEN %s AND %s", first, first + 499)
        for start in range(0, max(1, BACKLOG // (3 * EVENTS))):
            self.db.sql("UPDATE ticket SET sold = NOT sold WHERE id > 30")
        self.db.sql("UPDATE event SET name = name || '.' WHERE id > 10")

    def queued(self):
        """Items ever put into the queue, coalesced ones aside."""
        return int(self.bed.redis.client.hget(f"{QUEUE}:meta", "seq") or 0)

    # position

    def snapshot(self):
        return self.db.value("SELECT pg_current_snapshot()::text")

    def unread(self, upto=None):
        """Changes committed before that snapshot, or by now, that no cursor has passed."""
        return self.db.value(UNREAD, upto or self.snapshot())

    def backfills(self):
        return self.db.value("SELECT count(*) FROM pgusher.backfill WHERE fleet = 'default'")

    def caught_up(self, upto=None):
        return not self.backfills() and not self.unread(upto)

    def until(self, condition, seconds, what):
        return until(condition, seconds, lambda: f"{what}: {self.state()}", every=0.02)

    def until_caught_up(self, upto=None, seconds=60):
        """With all that was committed before that snapshot, or by now."""
        upto = upto or self.snapshot()
        self.until(lambda: self.caught_up(upto), seconds, "the fleet caught up")

    def rest(self, seconds):
        """Lets time pass, in which no worker ends by itself."""
        stays(lambda: not any(daemon.died() for daemon in self.box.daemons), seconds, "pgusherd ended by itself")

    def state(self):
        return {"unread": self.unread(), "backfills": self.backfills(), "workers": len(self.workers),
                "cursors": self.db.sql("SELECT * FROM pgusher.cursor ORDER BY part LIMIT 4")}

    # the end

    def end_workers(self):
        """SIGTERM to all that run: each must end with 0."""
        self.box.stop()

    def end_own_workers(self):
        """The same to those that are not of another fleet."""
        for worker in set(self.workers) - set(self.others):
            worker.stop()

    def story(self):
        """What helps to understand a failure."""
        return [*self.box.report(), ("PostgreSQL", "".join(self.bed.cluster.complaints(self.log_start)[-20:]))]

    def close(self):
        if self.owners:
            self.owners.finish()
        for daemon in self.workers:
            daemon.kill()
        for tool in self.tools:
            tool.kill()
        for relay in self.relays:
            relay.stop()
        shutil.rmtree(self.folder)
