"""Changes made at full speed by 8 clients with the fleet running: from the first change to the last document in Redis,
against the time that the same clients take on bare tables. Nothing is niced: writers and followers share the cores.

The daemons of others make fewer changes; their time is that of as many as ours.
"""
import time

import plots
from captures import Captures
from contestants import GOOD, NATURAL, Ours, Python
from load import change
from market import backfill, market, versions
from report import OURS, Row, Samples, is_full, publish, rotated, rounds_wanted, table

BARE = "bare tables, the writers alone"
CHANGES = 50_000
COUNT = {BARE: CHANGES, OURS: CHANGES, GOOD: 12_000, NATURAL: 2_400}
STREAM, WRITERS = f"{CHANGES:,} changes, to the last document", f"{CHANGES:,} changes, to the last commit"
ROWS = [
    Row(STREAM, BARE, "1.5", at_most=1.4),
    Row(STREAM, GOOD, "0.5"),
    Row(STREAM, NATURAL, "0.15"),
    Row(WRITERS, BARE, "1.4"),
]


class Contest:
    def __init__(self, box):
        self.box = box
        self.samples = Samples({STREAM: "{:.1f} s", WRITERS: "{:.1f} s"})
        self.captures = Captures(box.db)
        self.followers = {follower.name: follower for follower in (Ours(box), Python(box, "good"), Python(box, "natural"))}
        self.next_id = 2
        for name, follower in self.followers.items():
            self.captures.add(name, follower.capture)

    def measure(self, name, follower=None):
        count, first = COUNT[name], self.next_id
        self.next_id = (first + count) % 400_000
        began = time.monotonic()
        wrote = change(self.box, first, count)
        if follower:
            follower.settled()
        took = time.monotonic() - began
        if follower:
            follower.must_be_right(first, count)
        self.samples.add(STREAM, name, took * CHANGES / count)
        self.samples.add(WRITERS, name, wrote * CHANGES / count)

    def turn(self, name):
        follower = self.followers.get(name)
        self.captures.only(name if follower else None)
        self.box.db.sql("VACUUM ticket")
        if not follower:
            return self.measure(name)
        follower.start()
        self.measure(name, follower)
        return follower.stop()


def main():
    rounds = rounds_wanted()
    with market() as box:
        contest = Contest(box)
        contest.captures.only(OURS)
        backfill(box)
        for i in range(rounds):
            for name in rotated(COUNT, i):
                contest.turn(name)
    publish("stream", rounds, versions(), table(contest.samples, ROWS))
    if is_full(rounds):
        values = [(name, CHANGES / contest.samples.median(STREAM, name)) for name in COUNT]
        plots.bars("stream", "8 clients at full speed, until the last document is in Redis", "changes/s", values, limit=BARE)


main()
