"""A sandbox: one database, one Redis, a configuration, and the programs run on them."""
import json
import os

import pytest

from . import compare
from .programs import SLOWER, Daemon, run_program
from .waiting import until

GATE, OWNER = 1885828467, 1885828468  # first halves of advisory lock keys; the second is fleet number * 1024 + partition

CAUGHT_UP = """
    SELECT count(*) > 0 AND NOT EXISTS (
             SELECT FROM pgusher.changelog c JOIN pgusher.cursor k ON k.fleet = %s AND k.part = c.part
             WHERE NOT pg_visible_in_snapshot(c.xid, k.done))
    FROM pgusher.cursor WHERE fleet = %s"""

LOCKED = """
    SELECT count(*) = (SELECT partitions FROM pgusher.meta) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE d.datname = current_database() AND locktype = 'advisory' AND classid = %s
      AND objid::bigint / 1024 = (SELECT number FROM pgusher.fleet WHERE name = %s)
      AND objsubid = 2 AND mode = 'ExclusiveLock' AND granted"""


def projection(source, watch, id="id", key=None, **more):
    """One projection's configuration; the key is <source>:{id…} unless told."""
    columns = [id] if isinstance(id, str) else id
    key = key or ":".join([source, *("{%s}" % column for column in columns)])
    return {"source": source, "id": id, "key": key, "watch": watch, **more}


class Box:
    def __init__(self, folder, db, redis):
        self.folder = folder
        self.db = db
        self.redis = redis
        self.config = {}
        self.path = os.path.join(folder, "pgusher.json")
        self.transcript = []
        self.daemons = []

    # configuration

    def use(self, projections, **more):
        """Writes the configuration file of these projections on this box's servers. No canary, which tests that count would see."""
        self.config = {"fleet": "default", "postgres": self.db.conninfo(), "redis": self.redis.url, "canary": "off",
                       "projections": projections, **more}
        self.write(json.dumps(self.config, indent=2))

    def write(self, text):
        with open(self.path, "w") as file:
            file.write(text)

    @property
    def projections(self):
        return self.config["projections"]

    # programs

    def pgusher(self, *arguments):
        result = run_program("pgusher", "-c", self.path, *arguments)
        self.transcript.append(str(result))
        return result

    def install(self):
        return self.pgusher("install").must(0)

    def once(self):
        result = run_program("pgusherd", "-c", self.path, "--once")
        self.transcript.append(str(result))
        return result.must(0)

    def start(self, *arguments, prefix=()):
        """Starts a worker without waiting for anything; prefix: the command it is started by."""
        log = os.path.join(self.folder, f"pgusherd-{len(self.daemons) + 1}.log")
        self.daemons.append(Daemon(log, "-c", self.path, *arguments, prefix=prefix))
        return self.daemons[-1]

    def ready(self, projections, **more):
        """Configuration, capture, all documents in Redis, and a worker that rests."""
        self.use(projections, **more)
        self.install()
        self.pgusher("backfill").must(0)
        daemon = self.start()
        self.until_asleep()
        return daemon

    def stop(self):
        """Ends what still runs; a worker that does not exit properly fails the test."""
        running = [daemon for daemon in self.daemons if daemon.alive()]
        failures = []
        for daemon in running:
            try:
                daemon.stop()
            except (AssertionError, OSError, pytest.fail.Exception, Exception) as failure:
                daemon.kill()
                failures.append(str(failure))
        assert not failures, "\n".join(failures)

    # the state of things

    def asleep(self, fleet=None):
        """Every gate is closed, and no backfill is left; of this box's fleet unless told."""
        fleet = fleet or self.config["fleet"]
        return (self.db.value(LOCKED, GATE, fleet)
                and not self.db.value("SELECT count(*) FROM pgusher.backfill WHERE fleet = %s", fleet))

    def rewind(self, done, upto=None):
        """The cursors as owners saved them that died later."""
        self.db.sql("UPDATE pgusher.cursor SET done = %s, upto = %s, at_xid = '0', at_seq = 0", done, upto)
        for name in self.redis.client.hkeys("pgusher:fleet:default"):
            if name.startswith(b"p"):
                self.redis.client.hset("pgusher:fleet:default", name, f"{done}|{upto or ''}|0|0")

    def until(self, condition, seconds, what, every=0.01):
        """As until(), but does not wait for a worker that died."""
        def met():
            assert not any(daemon.died() for daemon in self.daemons), "pgusherd ended by itself"
            return condition()
        until(met, seconds * SLOWER, what, every)

    def until_asleep(self, seconds=25):
        self.until(self.asleep, seconds, "the worker holds the gate", every=0.002)

    def caught_up(self, fleet=None):
        fleet = fleet or self.config["fleet"]
        return (self.db.value(CAUGHT_UP, fleet, fleet)
                and not self.db.value("SELECT count(*) FROM pgusher.backfill WHERE fleet = %s AND reason = 'a table was truncated'", fleet))

    def until_caught_up(self, seconds=25):
        self.until(self.caught_up, seconds, lambda: f"the cursor passed every change: {self.cursor()}")

    def cursor(self):
        return self.db.sql("SELECT fleet, part, done, upto, at_xid, at_seq, pg_current_snapshot() FROM pgusher.cursor")

    def differences(self):
        return compare.differences(self.db, self.redis.client, self.config)

    def in_step(self, seconds=25):
        """The cursor passed every change, and from that moment nothing differs: it moves only after
        every reply, so there is nothing to wait for in between."""
        self.until_caught_up(seconds)
        found = self.differences()
        assert not found, "\n".join(found)

    def hash(self, key):
        """The document's fields without ours, or None."""
        fields = {name.decode(): value.decode() for name, value in self.redis.client.hgetall(key).items()}
        return {name: value for name, value in fields.items() if name not in ("_v", "_d")} or None

    def version(self, key):
        return int(self.redis.client.hget(key, "_v"))

    def has(self, key, **fields):
        """Whether the hash holds these values; for until()."""
        found = self.hash(key) or {}
        return all(found.get(name) == value for name, value in fields.items()) and bool(found)

    def until_has(self, key, seconds=15, **fields):
        self.until(lambda: self.has(key, **fields), seconds, lambda: f"{key} has {fields}: {self.hash(key)}")

    def until_gone(self, key, seconds=15):
        self.until(lambda: not self.redis.client.exists(key), seconds, f"{key} is gone")

    def queued(self, queue="{search}"):
        """What waits in the queue, the next to leave first."""
        waiting, later = reversed(self.redis.client.lrange(queue, 0, -1)), self.redis.client.zrange(f"{queue}:later", 0, -1)
        return [item.decode() for item in (*waiting, *later)]

    def drain(self, queue="{search}"):
        """Takes all out of the queue: as a plain consumer does, and what it would be given next."""
        taken = [item.decode() for item in iter(lambda: self.redis.client.rpop(queue), None)]
        later = self.redis.client.zpopmin(f"{queue}:later", 1_000_000_000)
        return taken + [item.decode() for item, _ in later]

    def changes(self):
        """How many rows the changelog holds."""
        return self.db.value("SELECT count(*) FROM pgusher.changelog")

    def quarantined(self):
        return self.db.sql("SELECT projection, key, error FROM pgusher.quarantine ORDER BY 1, 2")

    def report(self):
        """What helps to understand a failure."""
        yield "commands", "".join(self.transcript)[-6000:]
        for number, daemon in enumerate(self.daemons, 1):
            yield f"pgusherd {number}", daemon.log[-6000:]
