"""All documents into an empty Redis: 20,000 events and 500,000 tickets, with their expiry, each on the queue.

The pipes write every document as it is, guard nothing and say nothing afterwards of who wrote what; those without LPUSH
queue nothing either. Some contestants take their turn in the first round only, which is long enough.
"""
import subprocess
import time

import plots
from contestants import GOOD, Python
from market import EVENTS, TICKETS, backfill, market, versions
from peers import pipe
from report import OURS, Row, Samples, is_full, publish, rotated, rounds_wanted, table

DOCUMENTS = EVENTS + TICKETS
FILL = f"backfill of {DOCUMENTS:,} documents"
CORE = "the same, by the processor time of Redis"
WORKER = "ours, by a worker"
ONE, TWO = "psql | redis-cli --pipe", "two psql | redis-cli --pipe"
ONE_LPUSH, TWO_LPUSH = f"{ONE}, with LPUSH", f"{TWO}, with LPUSH"
WHOLE = [{"event": "true", "ticket": "true"}]
HALVES = [{"event": "true", "ticket": f"id <= {TICKETS // 2 - EVENTS}"}, {"ticket": f"id > {TICKETS // 2 - EVENTS}"}]
PIPES = {ONE: (None, WHOLE), TWO: (None, HALVES), ONE_LPUSH: ("search", WHOLE), TWO_LPUSH: ("search", HALVES)}
PYTHON_TICKETS = 50_000
ROWS = [
    Row(FILL, TWO, "0.8", at_least=1),
    Row(FILL, ONE, "0.9", at_least=1),
    Row(FILL, TWO_LPUSH, "0.9", at_least=1),
    Row(FILL, ONE_LPUSH, "1.0", at_least=1),
    Row(FILL, GOOD, "1.8"),
    Row(FILL, TWO, "0.8", who=WORKER),
    Row(CORE, ONE_LPUSH, "1"),
    Row(CORE, TWO, "0.8"),
]
EVERY_ROUND = [OURS, TWO, TWO_LPUSH]
ONCE = [WORKER, ONE, ONE_LPUSH, GOOD]


def ours(box):
    backfill(box)
    assert box.redis.client.zcard("{search}:later") + box.redis.client.llen("{search}") == DOCUMENTS


def by_worker(box):
    """The Redis is new to it: that is what makes it fill it."""
    box.start()
    box.until_asleep(60)


def piped(box, who):
    queue, conditions = PIPES[who]
    subprocess.run(["bash", "-c", pipe.command(box, 0, queue, conditions)], check=True, capture_output=True)
    assert box.redis.client.dbsize() == DOCUMENTS + bool(queue)


def good(box):
    Python(box, "good").fill(PYTHON_TICKETS)


def redis_seconds(box):
    """Of a processor, since its start."""
    used = box.redis.client.info("cpu")
    return used["used_cpu_user"] + used["used_cpu_sys"]


def turn(box, samples, who):
    box.redis.client.flushall()
    began, used = time.monotonic(), redis_seconds(box)
    if who in PIPES:
        piped(box, who)
    else:
        {OURS: ours, WORKER: by_worker, GOOD: good}[who](box)
    count = PYTHON_TICKETS if who == GOOD else DOCUMENTS
    samples.add(FILL, who, count / (time.monotonic() - began))
    samples.add(CORE, who, count / (redis_seconds(box) - used))
    box.stop()


def main():
    rounds = rounds_wanted()
    samples = Samples({FILL: "{:,.0f}/s", CORE: "{:,.0f}/s"})
    with market() as box:
        box.install()
        for i in range(rounds):
            for who in rotated(EVERY_ROUND, i) + (ONCE if i == 0 else []):
                turn(box, samples, who)
    publish("backfill", rounds, versions(), table(samples, ROWS))
    if is_full(rounds):
        values = [(who, samples.median(FILL, who)) for who in (OURS, WORKER, *PIPES, GOOD)]
        plots.bars("backfill", FILL.capitalize(), "documents/s", values, limit=TWO)


main()
