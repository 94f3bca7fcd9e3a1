"""A backlog of changed tickets, each changed by a transaction of its own: a ticket and an event document for each.

The daemons of others hold still while it is made (SIGSTOP), because a notification to nobody is lost; our worker is not
running, and the time includes its start. The slower ones get a smaller backlog. Beside an open transaction: one that has
an xid and a snapshot and was there before the backlog.
"""
import contextlib
import time

import plots
from captures import Captures
from contestants import GOOD, NATURAL, Ours, Python
from load import backlog
from market import backfill, market, versions
from peers.bucardo import BUCARDO, bucardo
from report import OURS, Row, Samples, is_full, publish, rotated, rounds_wanted, table

COUNT = {OURS: 50_000, GOOD: 20_000, NATURAL: 3_000, BUCARDO: 5_000}
DRAIN = f"drain of a backlog of {COUNT[OURS]:,} changes"
BESIDE, FREE = "beside an open transaction", "the same without"
ROWS = [
    Row(DRAIN, GOOD, "3", at_least=3),
    Row(DRAIN, NATURAL, "45", at_least=40),
    Row(DRAIN, BUCARDO, "10"),
    Row(DRAIN, FREE, "0.95", at_least=0.9, who=BESIDE),
]


@contextlib.contextmanager
def open_transaction(box):
    connection = box.db.connect()
    connection.set_session(isolation_level="REPEATABLE READ")
    connection.cursor().execute("SELECT pg_current_xact_id()")
    yield
    connection.close()


def drain(box, follower, first):
    """Changes a second."""
    count = COUNT[follower.name]
    follower.start()
    follower.away()
    backlog(box, first, count)
    began = time.monotonic()
    follower.back()
    follower.settled()
    took = time.monotonic() - began
    follower.must_be_right(first, count)
    follower.stop()
    return count / took


class Contest:
    def __init__(self, box):
        self.box = box
        self.samples = Samples({DRAIN: "{:,.0f}/s"})
        self.captures = Captures(box.db)
        followers = (Ours(box), Python(box, "good"), Python(box, "natural"), bucardo(box))
        self.followers = {follower.name: follower for follower in followers if follower}
        self.next_id = 2
        for name, follower in self.followers.items():
            self.captures.add(name, follower.capture)

    def prepare(self):
        """Redis has every document of ours."""
        self.captures.only(OURS)
        backfill(self.box)

    def turn(self, name):
        self.captures.only(name)
        self.box.db.sql("VACUUM ticket")
        first, self.next_id = self.next_id, (self.next_id + COUNT[name]) % 400_000
        return drain(self.box, self.followers[name], first)

    def round(self, i):
        for name in rotated(self.followers, i):
            if name == BUCARDO and i > 0:  # once: it takes long to start
                continue
            self.samples.add(DRAIN, name, self.turn(name))
        self.samples.add(DRAIN, FREE, self.samples.values[DRAIN, OURS][-1])
        with open_transaction(self.box):
            self.samples.add(DRAIN, BESIDE, self.turn(OURS))


def draw(samples):
    labels = {OURS: OURS, BESIDE: f"ours, {BESIDE}", GOOD: GOOD, NATURAL: NATURAL, BUCARDO: BUCARDO}
    values = [(label, samples.median(DRAIN, who)) for who, label in labels.items() if samples.has(DRAIN, who)]
    plots.bars("drain", DRAIN.capitalize(), "changes/s", values)


def main():
    rounds = rounds_wanted()
    with market() as box:
        contest = Contest(box)
        contest.prepare()
        for i in range(rounds):
            contest.round(i)
    publish("drain", rounds, versions(), table(contest.samples, ROWS))
    if is_full(rounds):
        draw(contest.samples)


main()
