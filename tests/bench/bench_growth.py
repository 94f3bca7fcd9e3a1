"""What must not depend on how much there is: the backfill's rate on the number of documents, the latency on the number of
projections, the cost of a lookup on how many documents one id leads to. LARGE=1: 5 million documents too."""
import os
import statistics
import time

import crowd
from contestants import PASSED
from market import backfill, versions
from report import Row, Samples, publish, rounds_wanted, table

LARGE = bool(os.environ.get("LARGE"))
SIZES = {100_000: "0.1 million", 1_000_000: "1 million"}
if LARGE:
    SIZES[5_000_000] = "5 million"
BACKFILL, LATENCY, LOOKUP = "backfill, documents", "commit to hash, p50, projections", "one statement to 100,000 documents, ids"
FEW, MANY = "1", "100"
ONE_ID, TEN_IDS = "1", "10"
SAMPLES = 100
FANNED = 100_000
ROWS = [
    Row(BACKFILL, SIZES[100_000], "1", at_least=0.85, who=SIZES[1_000_000]),
    Row(BACKFILL, SIZES[100_000], "1", at_least=0.85, who="5 million"),
    Row(LATENCY, FEW, "1.1", at_most=1.15, who=MANY),
    Row(LOOKUP, TEN_IDS, "1", at_most=1.15, who=ONE_ID),
]


def backfills(box, size, samples, rounds):
    """Once more than once where it is short, because of the noise."""
    box.use(crowd.projections())
    crowd.fill(box, size)
    box.install()
    for _ in range(rounds if size < 1_000_000 else 1):
        box.redis.client.flushall()
        began = time.monotonic()
        backfill(box)
        samples.add(BACKFILL, SIZES[size], size / (time.monotonic() - began))
    box.pgusher("uninstall").must(0)


def ages(box, id):
    """From the commit until the hash is there, of changes with pauses between them. In ms."""
    for i in range(1, SAMPLES + 1):
        box.db.sql("UPDATE item SET n = %s WHERE id = %s", i, id)
        began = time.monotonic()
        while box.redis.client.hget(f"i:{id}", "n") != str(i).encode():
            pass
        yield (time.monotonic() - began) * 1000
        time.sleep(0.01)


def latency(box, count, who, samples):
    """Of changes that concern one of so many projections."""
    crowd.make_others(box.db, count - 1)
    box.use(crowd.projections(count - 1))
    crowd.fill(box, 1000)
    box.install()
    worker = box.start()
    box.until_asleep(60)
    samples.add(LATENCY, who, statistics.median(ages(box, 7)))
    worker.stop()
    box.pgusher("uninstall").must(0)


def lookup(box, samples, rounds):
    """Part 0 has 100,000 items, the parts 1 to 10 have 10,000 each."""
    box.use(crowd.projections())
    box.redis.client.flushall()
    crowd.fill(box, 2 * FANNED, part=f"CASE WHEN id > {FANNED} THEN 0 ELSE 1 + id % 10 END")
    box.install()
    box.start()
    box.until_asleep(60)
    for i in range(rounds):
        for who, condition in ((ONE_ID, "id = 0"), (TEN_IDS, "id > 0")):
            began = time.monotonic()
            box.db.sql(f"UPDATE part SET name = 'part {i} ' || id WHERE {condition}")
            snapshot = box.db.value("SELECT pg_current_snapshot()")
            box.until(lambda: box.db.value(PASSED, snapshot), 60, "the worker applied it")
            samples.add(LOOKUP, who, time.monotonic() - began)


def main():
    rounds = rounds_wanted()
    samples = Samples({BACKFILL: "{:,.0f}/s", LATENCY: "{:.2f} ms", LOOKUP: "{:.2f} s"})
    with crowd.crowd() as box:
        for size in SIZES:
            backfills(box, size, samples, rounds)
        box.redis.client.flushall()
        for count, who in ((1, FEW), (100, MANY)):
            latency(box, count, who, samples)
        lookup(box, samples, rounds)
    publish("growth", rounds, versions(), table(samples, ROWS))


main()
