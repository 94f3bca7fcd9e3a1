"""What capture costs those who write: pgbench, 32 clients, updates of one ticket each, and one UPDATE of 100,000 tickets.

Our worker is niced, with the server processes at its service: it is the writers' cost that counts, not how the cores are
shared. The daemons of others are not, which would make their writers slower still. The limits are triggers that do less
than any capture could.
"""
import contextlib
import functools
import os
import time

import plots
from captures import Captures
from contestants import GOOD, NATURAL, Ours, Python
from load import backlog, rate
from market import TICKETS, backfill, fill, market, versions
from peers.bucardo import BUCARDO, bucardo
from report import Row, Samples, is_full, publish, rotated, rounds_wanted, table

BARE, EMPTY, INSERT = "bare tables", "empty row trigger", "row trigger with one INSERT"
STOPPED, ASLEEP, BUSY = "ours, fleet stopped", "ours, fleet asleep at first", "ours, fleet busy"
SECONDS = {BARE: 2, STOPPED: 2, ASLEEP: 2, BUSY: 2, EMPTY: 1, INSERT: 1, GOOD: 1, NATURAL: 1, BUCARDO: 1}
BEHIND = 20_000  # changes that a busy fleet has before it
BULK_ROWS = 100_000
UPDATES, BULK = "single-row updates", f"one UPDATE of {BULK_ROWS:,} tickets"
ROWS = [
    Row(UPDATES, BARE, "0.87", at_least=0.9, who=STOPPED),
    Row(UPDATES, BARE, "0.86", at_least=0.9, who=ASLEEP),
    Row(UPDATES, BARE, "0.82", at_least=0.85, who=BUSY),
    Row(UPDATES, BARE, "0.90", who=EMPTY),
    Row(UPDATES, BARE, "0.85", who=INSERT),
    Row(UPDATES, BARE, "0.25", who=NATURAL),
    Row(UPDATES, BARE, "0.22", who=GOOD),
    Row(UPDATES, BARE, "0.19", who=BUCARDO),
    Row(BULK, BARE, "1.4", at_most=1.5, who=STOPPED),
    Row(BULK, BARE, "1.8", who=NATURAL),
]

TRIGGERS = {EMPTY: "RETURN NULL", INSERT: "INSERT INTO note (xid, id) VALUES (pg_current_xact_id(), NEW.id); RETURN NULL"}
MAKE_TRIGGER = """
    CREATE TABLE IF NOT EXISTS note (xid xid8, seq bigserial, id int);
    CREATE INDEX IF NOT EXISTS note_xid_seq ON note (xid, seq);
    CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; END $$;
    CREATE TRIGGER {name} AFTER UPDATE ON ticket FOR EACH ROW EXECUTE FUNCTION {name}()"""


def nice(value, *pids):
    """Processes and, where the kernel shares its time out by sessions, these too."""
    for pid in pids:
        os.setpriority(os.PRIO_PROCESS, pid, value)
        if os.path.exists(f"/proc/{pid}/autogroup"):
            with open(f"/proc/{pid}/autogroup", "w", encoding="ascii") as group:
                group.write(str(value))


class Contest:
    def __init__(self, box):
        self.box = box
        self.samples = Samples({UPDATES: "{:,.0f}/s", BULK: "{:.2f} s"})
        self.captures = Captures(box.db)
        self.followers = {GOOD: Python(box, "good"), NATURAL: Python(box, "natural"), STOPPED: Ours(box)}
        self.followers[ASLEEP] = self.followers[BUSY] = self.followers[STOPPED]
        self.others = [GOOD, NATURAL]
        peer = bucardo(box)
        if peer:
            self.followers[BUCARDO] = peer
            self.others.append(BUCARDO)
        for who in (*self.others, STOPPED):
            self.captures.add(who, self.followers[who].capture)
        for who, body in TRIGGERS.items():
            name = f"limit_{len(self.captures.definitions)}"
            self.captures.add(who, functools.partial(box.db.sql, MAKE_TRIGGER.format(name=name, body=body)))
        for who, same in ((BARE, None), (ASLEEP, STOPPED), (BUSY, STOPPED)):
            self.captures.definitions[who] = self.captures.definitions[same]

    def tidy(self, who):
        """All find the same: nothing of the last turn to vacuum, to write out or to read."""
        self.captures.only(who)
        self.box.db.sql("TRUNCATE note, pgusher.changelog")  # whatever is left there is nobody's business any more
        self.box.db.sql("VACUUM ticket")
        self.box.db.sql("CHECKPOINT")

    @contextlib.contextmanager
    def following(self, who):
        """With the contestant at work, if it works."""
        follower = self.followers[who] if who in (ASLEEP, BUSY, *self.others) else None
        if who == BUSY:
            backlog(self.box, 2, BEHIND)
        if follower:
            follower.back() if who == BUSY else follower.start()
        if who in (ASLEEP, BUSY):
            nice(19, *follower.pids(), self.box.redis.process.pid)
        try:
            yield
        finally:
            if follower:
                nice(0, self.box.redis.process.pid)
                follower.kill()

    def warm_up(self):
        """Afterwards pages have room for new versions of rows, for all alike."""
        self.captures.only(None)
        for _ in range(2):
            self.box.db.sql("UPDATE ticket SET price = price + 1 WHERE id <= %s", BULK_ROWS)
            self.box.db.sql("VACUUM ticket")
        rate(self.box, TICKETS, 1)

    def contestants(self, i):
        """Bucardo takes long to start: once."""
        return [who for who in rotated(SECONDS, i) if who != BUCARDO or (who in self.others and i == 0)]

    def updates(self, who):
        self.tidy(who)
        with self.following(who):
            self.samples.add(UPDATES, who, rate(self.box, TICKETS, SECONDS[who]))

    def bulk(self, who):
        self.tidy(who)
        began = time.monotonic()
        self.box.db.sql("UPDATE ticket SET price = price + 1 WHERE id <= %s", BULK_ROWS)
        self.samples.add(BULK, who, time.monotonic() - began)


def draw(samples):
    bars = [(who, samples.median(UPDATES, who)) for who in SECONDS if samples.has(UPDATES, who)]
    plots.bars("writer", "Single-row updates, 32 clients", "transactions/s", bars, limit=BARE)


def main():
    rounds = rounds_wanted()
    with market(scale=0, settings={"autovacuum": "off"}) as box:
        contest = Contest(box)
        backfill(box)  # of nothing: only what changes will be written
        fill(box.db)
        contest.warm_up()
        for i in range(rounds):
            for who in contest.contestants(i):
                contest.updates(who)
            for who in rotated((BARE, STOPPED, NATURAL), i):
                contest.bulk(who)
    publish("writer", rounds, versions(), table(contest.samples, ROWS))
    if is_full(rounds):
        draw(contest.samples)


main()
