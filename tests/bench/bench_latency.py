"""From the commit of a change until the ticket's hash can be read, at 200 and at 2,000 changes a second.

Redis tells by keyspace notifications (latency.c), which costs all contestants the same. Nothing is pinned or niced: the
writers, PostgreSQL, the daemon and Redis share the cores. The natural daemon falls behind at 2,000/s;
Bucardo, which does so too, is left out there.
"""
import statistics

import plots
from captures import Captures
from contest import PROGRAMS, Turn
from contestants import BARE_LOOP, GOOD, NATURAL, BareLoop, Ours, Python
from market import backfill, market, versions
from peers.bucardo import BUCARDO, bucardo
from report import OURS, Row, Samples, is_full, publish, rotated, rounds_wanted, table

SECONDS = {200: 5, 2000: 3}  # in all rounds together
CONTESTANTS = [OURS, NATURAL, GOOD, BARE_LOOP, BUCARDO]
FIGURES = {(rate, percent): f"commit to hash, {rate:,}/s, p{percent}" for rate in SECONDS for percent in (50, 99)}
ROWS = [
    Row(FIGURES[200, 50], NATURAL, "0.8", at_most=1),
    Row(FIGURES[200, 99], NATURAL, "1", at_most=1),
    Row(FIGURES[200, 50], BARE_LOOP, "1.5", at_most=1.5),
    Row(FIGURES[200, 99], BARE_LOOP, "1.5", at_most=1.5),
    Row(FIGURES[200, 50], GOOD),
    Row(FIGURES[200, 50], BUCARDO),
    Row(FIGURES[2000, 99], None, "2.5", at_most=3),
    Row(FIGURES[2000, 50], BARE_LOOP, "1.5", at_most=1.5),
    Row(FIGURES[2000, 99], BARE_LOOP, "1.5", at_most=1.5),
    Row(FIGURES[2000, 50], NATURAL),
    Row(FIGURES[2000, 50], GOOD),
]


class Contest:
    def __init__(self, box, rounds):
        self.box, self.rounds = box, rounds
        self.captures = Captures(box.db)
        followers = (Ours(box), Python(box, "natural"), Python(box, "good"), BareLoop(box), bucardo(box))
        self.followers = {follower.name: follower for follower in followers if follower}
        self.ages = {}
        self.next_id = 2
        for name, follower in self.followers.items():
            self.captures.add(name, follower.capture)

    def measure(self, follower, rate):
        count = rate * SECONDS[rate] // self.rounds // 4 * 4
        first, self.next_id = self.next_id, self.next_id + count
        turn = Turn([f"{PROGRAMS}/latency", self.box.db.conninfo(), self.box.redis.socket, follower.db, rate, count, first])
        turn.go()
        found = turn.finish()
        assert not found["missing"] or follower.name != OURS, f"{found['missing']} never came"
        self.ages.setdefault((follower.name, rate), []).extend(age / 1e6 for age in found["ages"])

    def turn(self, name):
        follower = self.followers[name]
        self.captures.only(name)
        follower.start()
        for rate in SECONDS:
            if name != BUCARDO or rate == 200:
                self.measure(follower, rate)
        follower.stop()

    def samples(self):
        samples = Samples({figure: "{:.2f} ms" for figure in FIGURES.values()})
        for (name, rate), ages in self.ages.items():
            samples.add(FIGURES[rate, 50], name, statistics.median(ages))
            samples.add(FIGURES[rate, 99], name, statistics.quantiles(ages, n=100)[98])
        return samples

    def draw(self):
        for rate in SECONDS:
            ages = {name: self.ages[name, rate] for name in CONTESTANTS if (name, rate) in self.ages}
            plots.cumulative(f"latency_{rate}", f"Commit until the hash can be read, {rate:,} changes/s", ages)


def main():
    rounds = rounds_wanted()
    with market() as box:
        contest = Contest(box, rounds)
        contest.captures.only(OURS)
        backfill(box)
        for i in range(rounds):
            for name in rotated(contest.followers, i):
                if name == BUCARDO and i > 0:  # once: it takes long to start
                    continue
                contest.turn(name)
    publish("latency", rounds, versions(), table(contest.samples(), ROWS))
    if is_full(rounds):
        contest.draw()


main()
