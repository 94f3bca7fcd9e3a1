"""Who keeps Redis in step with the tables: pgusher, and the daemons of others. All are started, paused and waited for
by the same verbs.

capture()     makes its triggers
start()       until it waits for changes
away()        it is not at work, and will not lose what happens meanwhile; back() ends that, without waiting
settled()     waits until every document of what was committed before the call is in Redis
idle()        waits until there is nothing to do at all, no backfill either
pids()        of its processes, with PostgreSQL's at its service
hget(key, field), db: what Redis holds, and in which database
"""
import os
import signal
import subprocess
import sys

from contest import PROGRAMS
from harness.processes import end, spawn
from harness.waiting import until
from report import OURS

HERE = os.path.dirname(os.path.abspath(__file__))
NATURAL, GOOD, BARE_LOOP = "natural Python daemon", "good Python daemon", "bare C loop"
LIMIT_S = 120
PASSED = "SELECT bool_and(pgusher.covers(done, %s)) FROM pgusher.cursor WHERE fleet = 'default'"
SENTINEL = 1  # a ticket that no load changes


def wait_until(condition, what):
    until(condition, LIMIT_S, what, every=0.004)


class Contestant:
    def __init__(self, box, name, db):
        self.box, self.name, self.db = box, name, db
        self.redis = box.redis.connect(db=db)

    def hget(self, key, field):
        return self.redis.hget(key, field)

    def backends(self, application):
        found = self.box.db.sql("SELECT pid FROM pg_stat_activity WHERE application_name LIKE %s", application + "%")
        return [pid for pid, in found]

    def prices(self, first, count):
        """What Redis says of these tickets."""
        pipeline = self.redis.pipeline(transaction=False)
        for id in range(first, first + count):
            pipeline.hget(f"ticket:{id}", "price")
        return [float(price) if price else None for price in pipeline.execute()]

    def wrong(self, first, count):
        """How many of these tickets have another price in Redis than in the table."""
        true = self.box.db.sql("SELECT price::float FROM ticket WHERE id >= %s AND id < %s ORDER BY id", first, first + count)
        return sum(ours != theirs for ours, (theirs,) in zip(self.prices(first, count), true))


    def must_be_right(self, first, count):
        """Ours must; of the others it is said."""
        wrong = self.wrong(first, count)
        assert not wrong or self.name != OURS, f"{wrong} of {count} tickets are wrong"
        if wrong:
            print(f"{self.name}: {wrong} of {count} tickets stay wrong", file=sys.stderr)


class Ours(Contestant):
    def __init__(self, box):
        super().__init__(box, OURS, 0)
        self.daemon = None

    def capture(self):
        self.box.install()

    def start(self):
        self.back()
        self.box.until_asleep(60)

    def back(self):
        self.daemon = self.box.start()

    def away(self):
        self.daemon.stop()

    stop = away

    def kill(self):
        self.daemon.kill()

    def alive(self):
        return self.daemon.alive()

    def settled(self):
        snapshot = self.box.db.value("SELECT pg_current_snapshot()")
        wait_until(lambda: self.box.db.value(PASSED, snapshot), f"the cursor is past {snapshot}")

    def idle(self):
        self.settled()
        self.box.until_asleep(LIMIT_S)

    def pids(self):
        return [self.daemon.process.pid, *self.backends("pgusher")]


class Listener(Contestant):
    """A program that handles notifications in their order: the last one tells that all are handled."""

    def __init__(self, box, name, db, argv):
        super().__init__(box, name, db)
        self.argv = [*argv, self.conninfo(), box.redis.socket, str(db)]
        self.application = f"peer{db}"
        self.process = None

    def conninfo(self):
        return f"{self.box.db.conninfo()} application_name=peer{self.db}"

    def start(self):
        path = os.path.join(self.box.folder, f"peer{self.db}.log")
        with open(path, "wb") as log:
            self.process = spawn(self.argv, log)
        wait_until(lambda: self.said(path), f"{self.name} is ready")

    def said(self, path):
        with open(path, encoding="utf-8") as log:
            text = log.read()
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended: {text}")
        return "ready" in text

    def away(self):
        self.process.send_signal(signal.SIGSTOP)

    def back(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        end(self.process, signal.SIGKILL)

    kill = stop

    def alive(self):
        return self.process.poll() is None

    def settled(self):
        price = self.box.db.value("UPDATE ticket SET price = (price::int + 1) %% 9999 WHERE id = %s RETURNING price::float", SENTINEL)
        wait_until(lambda: float(self.hget(f"ticket:{SENTINEL}", "price") or -1) == price, f"{self.name} put the last change")

    idle = settled

    def pids(self):
        return [self.process.pid, *self.backends(self.application)]


class Python(Listener):
    def __init__(self, box, kind):
        name, db = {"natural": (NATURAL, 1), "good": (GOOD, 2)}[kind]
        super().__init__(box, name, db, ["/usr/bin/python3", "-B", os.path.join(HERE, "peers", "daemon.py"), kind])

    def fill(self, tickets):
        """All tickets, as they are now."""
        words = [self.conninfo(), self.box.redis.socket, str(self.db), "1", str(tickets)]
        subprocess.run([*self.argv[:3], "fill", *words], check=True, timeout=LIMIT_S)

    def capture(self):
        with open(os.path.join(HERE, "peers", "notify.sql"), encoding="utf-8") as file:
            self.box.db.sql("DROP FUNCTION IF EXISTS notify_change CASCADE;" + file.read())


class BareLoop(Listener):
    """A limit: it does the least that can be done, for tickets only."""

    TRIGGER = """
        CREATE FUNCTION notify_bare() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_notify('bare', NEW.id::text); RETURN NULL; END $$;
        CREATE TRIGGER notify_bare AFTER UPDATE ON ticket FOR EACH ROW EXECUTE FUNCTION notify_bare()"""

    def __init__(self, box):
        super().__init__(box, BARE_LOOP, 3, [os.path.join(PROGRAMS, "loop_bare")])

    def capture(self):
        self.box.db.sql(self.TRIGGER)
