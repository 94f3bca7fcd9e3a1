"""Resident memory of one worker: while it rests, with a backlog before it, during a backfill. Peaks are VmHWM of a worker
that did nothing else, so one round is enough. LARGE=1: 10 million documents too, which takes minutes and 3 GB."""
import os
import subprocess

import crowd
from contestants import PASSED
from market import versions
from report import OURS, Row, Samples, publish, rounds_wanted, table

LARGE = bool(os.environ.get("LARGE"))
IDLE, BEHIND = "resident, at rest", "peak, 1,000,000 changes behind"
SIZES = {100_000: "peak, backfill of 100,000 documents", 1_000_000: "peak, backfill of 1,000,000 documents"}
LARGE_SIZES = {10_000_000: "peak, backfill of 10,000,000 documents"}
PEER = "Python daemon"
ROWS = [
    Row(IDLE, None, "6", at_most=8),
    Row(IDLE, PEER),
    Row(BEHIND, None, "20", at_most=32),
    *[Row(figure, None, "20", at_most=32) for figure in [*SIZES.values(), *LARGE_SIZES.values()]],
]
ITEMS = 100_000


def memory_mb(pid, line):
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return next(int(words[1]) for words in map(str.split, status) if words[0] == line + ":") / 1024


def python_mb():
    """Of a Python that has loaded what the daemons need."""
    script = "import psycopg2, redis, json; print(next(line for line in open('/proc/self/status') if line.startswith('VmRSS')))"
    said = subprocess.run(["/usr/bin/python3", "-c", script], capture_output=True, text=True, check=True).stdout
    return int(said.split()[1]) / 1024


def backfilled(box, samples, figure):
    """By a new worker, of a Redis that is empty."""
    box.redis.client.flushall()
    worker = box.start()
    box.until_asleep(600)
    samples.add(figure, OURS, memory_mb(worker.process.pid, "VmHWM"))
    return worker


def behind(box, samples):
    """Ten updates of each item while nobody works."""
    for _ in range(1_000_000 // ITEMS):
        box.db.sql("UPDATE item SET n = n + 1")
    snapshot = box.db.value("SELECT pg_current_snapshot()")
    worker = box.start()
    box.until(lambda: box.db.value(PASSED, snapshot), 120, "the worker drained it", every=0.05)
    samples.add(BEHIND, OURS, memory_mb(worker.process.pid, "VmHWM"))
    worker.stop()


def at_rest(box, samples):
    worker = box.start()
    box.until_asleep()
    samples.add(IDLE, OURS, memory_mb(worker.process.pid, "VmRSS"))
    worker.stop()
    samples.add(IDLE, PEER, python_mb())


def main():
    sizes = {**SIZES, **(LARGE_SIZES if LARGE else {})}
    samples = Samples({figure: "{:.1f} MB" for figure in (IDLE, BEHIND, *sizes.values())})
    with crowd.crowd() as box:
        box.use(crowd.projections())
        for size, figure in sizes.items():
            crowd.fill(box, size)
            box.install()
            backfilled(box, samples, figure).stop()
            if size == ITEMS:
                at_rest(box, samples)
                behind(box, samples)
            box.pgusher("uninstall").must(0)
    publish("memory", rounds_wanted(), versions(), table(samples, ROWS))


main()
