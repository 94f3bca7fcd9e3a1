"""Live traffic and every fault of the fault table, several at once, drawn from a seed; calms, in which everything is compared. See README.md.

    soak.py SECONDS [SEED]
"""
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback

import paths  # noqa: F401 makes the others importable

from calm import Calm
from lanes import Lane
from schedule import draw
from faults import LANES, weights
from stage import Soak
from watch import clock


SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGALRM)
AGAIN_SECONDS = 5


class Totals:
    """What the last lines say."""

    def __init__(self):
        self.changes = self.comparisons = self.reads = self.rewinds = self.told = self.dead = self.rounds = 0
        self.slowest = 0.0  # seconds from the end of the faults until everything was right
        self.faults = {}

    def struck(self, lane, kind):
        name = f"{lane}: {kind}"
        self.faults[name] = self.faults.get(name, 0) + 1

    def lines(self, soak):
        yield f"{self.rounds} rounds, {self.changes} changes, {sum(self.faults.values())} faults, {self.comparisons} documents compared"
        yield (f"{self.reads} reads checked, {self.rewinds} went back where a server had begun anew; consumers were told "
               f"{self.told} times of a document, {self.dead} dead letters replayed")
        yield f"slowest calm {self.slowest:.1f} s; {soak.figures()}"
        for name, count in sorted(self.faults.items()):
            yield f"{count:5} {name}"


def say(text):
    print(f"{clock()} {text}", flush=True)


def storm(soak, lanes, drawn, totals):
    """Returns when every fault is mended."""
    soak.crews["workers"].spared = drawn.number // 4 % 3 if drawn.spares else None
    soak.begin(drawn)
    began = time.monotonic()
    for lane in lanes.values():
        lane.begin([strike for strike in drawn.strikes if strike.lane == lane.name], began)
    soak.rest(drawn.seconds)
    for lane in lanes.values():
        lane.wait()
        for kind in lane.struck:
            totals.struck(lane.name, kind)


def weather(soak, schedule, seconds, totals):
    lanes = {name: Lane(name, soak, LANES[name]) for name in LANES}
    end = time.monotonic() + seconds
    for drawn in schedule.rounds:
        if time.monotonic() > end:
            break
        storm(soak, lanes, drawn, totals)
        calm = Calm(soak, totals)
        calm.check()
        totals.rounds += 1
        say(f"round {drawn.number}: {drawn.seconds:.0f} s, {len(drawn.strikes)} faults, {calm}")


def run(seconds, seed):
    """0 when all was well."""
    schedule = draw(seed, seconds, weights())
    say(f"seed {seed}: the same again by SEED={seed} SOAK_S={seconds:.0f} make soak; {schedule.settings}")
    folder = tempfile.mkdtemp(prefix="pgs-")
    os.chmod(folder, 0o755)
    totals, soak = Totals(), None
    try:
        soak = Soak(os.path.join(folder, "s"), schedule)
        soak.prepare()
        weather(soak, schedule, seconds, totals)
        soak.end_programs()
        return report(soak, totals, seed, None)
    except KeyboardInterrupt:
        say(f"ended by a signal, seed {seed}")
        return 130
    except BaseException as failure:  # noqa: BLE001 pytest's own failures are no Exceptions
        return report(soak, totals, seed, failure)
    finally:
        for sign in SIGNALS:
            signal.signal(sign, signal.SIG_IGN)
        try:
            if soak:
                soak.close()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def report(soak, totals, seed, failure):
    if soak:
        for line in totals.lines(soak):
            print(line)
    if failure:
        traceback.print_exception(failure)
        if soak:
            soak.keep_story(os.environ.get("SOAK_KEEP"))
    say(f"seed {seed}: {'FAILED' if failure else 'all was well'}")
    return 1 if failure else 0


def interrupt(*_):
    """Again after a while, until it is heard: what is raised while a child is forked Python ignores."""
    signal.alarm(AGAIN_SECONDS)
    raise KeyboardInterrupt


def main(seconds="60", seed=None):
    for sign in SIGNALS:
        signal.signal(sign, interrupt)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    sys.exit(run(float(seconds), int(seed or random.SystemRandom().randint(1, 999_999))))


if __name__ == "__main__":
    main(*filter(None, sys.argv[1:]))
