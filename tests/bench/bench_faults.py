"""How many documents are wrong for ever after a fault that nobody repairs by hand.

Deterministic, so once is enough: the daemon is killed, its tickets are changed for 5 s, it is started again; and Redis,
which persists nothing, is restarted below it. Wrong is a ticket whose price in Redis is not the table's, once the
contestant has handled everything it ever will.
"""
from captures import Captures
from contestants import GOOD, NATURAL, Ours, Python
from load import change
from market import backfill, market, versions
from report import OURS, Row, Samples, publish, rounds_wanted, table

SCALE = 0.1
TICKETS = 50_000
UPDATES, SECONDS = 2_000, 5
RATE = UPDATES // SECONDS  # that everybody can follow
AFTERWARDS = 800  # changes after the restart of Redis
KILLED = f"wrong after {UPDATES:,} updates in {SECONDS} s with the daemon killed"
RESTARTED = f"wrong of {TICKETS:,} tickets after a restart of Redis and {AFTERWARDS} changes"
ROWS = [
    Row(KILLED, None, "0", at_most=0),
    Row(KILLED, None, f"{UPDATES:,}", who=GOOD),
    Row(KILLED, None, f"{UPDATES:,}", who=NATURAL),
    Row(RESTARTED, None, "0", at_most=0),
    Row(RESTARTED, None, f"{TICKETS - AFTERWARDS - 1:,}", who=GOOD),
    Row(RESTARTED, None, f"{TICKETS - AFTERWARDS - 1:,}", who=NATURAL),
]


def killed(box, follower):
    follower.kill()
    change(box, 2, UPDATES, rate=RATE)
    follower.start()
    follower.idle()
    return follower.wrong(2, UPDATES)


def restarted(box, follower):
    box.redis.stop()
    box.redis.start()
    if not follower.alive():  # it gave up; whoever watches over it starts it again
        follower.start()
    change(box, 2, AFTERWARDS, rate=RATE)
    follower.idle()
    return follower.wrong(1, TICKETS)


def fill(box, follower):
    """What the contestant begins with: all of it right."""
    if follower.name == OURS:
        backfill(box)
    else:
        follower.fill(TICKETS)
    assert follower.wrong(1, TICKETS) == 0


def main():
    with market(scale=SCALE) as box:
        captures, samples = Captures(box.db), Samples({KILLED: "{:,.0f}", RESTARTED: "{:,.0f}"})
        for follower in (Ours(box), Python(box, "good"), Python(box, "natural")):
            captures.add(follower.name, follower.capture)
            captures.only(follower.name)
            fill(box, follower)
            follower.start()
            samples.add(KILLED, follower.name, killed(box, follower))
            samples.add(RESTARTED, follower.name, restarted(box, follower))
            follower.stop()
    publish("faults", rounds_wanted(), versions(), table(samples, ROWS))


main()
