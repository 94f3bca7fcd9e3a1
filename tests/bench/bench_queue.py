"""The queue against plain Redis lists, alone and as other programs use them, and against BullMQ.

The bare pattern is RPOPLPUSH, handle, LREM: it keeps items of consumers that died in a list that nobody looks
at, queues an item as often as it changes, and may have it handled twice at a time.
"""
import os
import statistics
import time

import redis

from contest import (HERE, PROGRAMS, Turn, node_packages, node_version, pin, private_redis, redis_benchmark,
                     together)
from report import OURS, Row, Samples, first_line, publish, table

BARE, BARE_C, BULLMQ = "bare pattern, redis-py", "bare pattern, C", "BullMQ"
LPUSH, RPOPLPUSH = "LPUSH, redis-benchmark", "RPOPLPUSH, redis-benchmark"
COMMANDS = {
    OURS: [f"{PROGRAMS}/queue_ours"],
    BARE: ["/usr/bin/python3", f"{HERE}/queue_plain.py"],
    BARE_C: [f"{PROGRAMS}/queue_plain"],
    BULLMQ: ["node", f"{HERE}/queue_bullmq.js"],
}
BATCH_ITEMS = {OURS: 100_000, BARE: 30_000, BARE_C: 100_000, BULLMQ: 8_000}
SINGLE_ITEMS = {OURS: 5_000, BARE: 5_000, BARE_C: 5_000, BULLMQ: 1_000}
MEMORY_ITEMS = {OURS: 500_000, LPUSH: 500_000, BULLMQ: 20_000}
LPUSH_ALL = "for i = 1, ARGV[1] do redis.call('LPUSH', 'Q', 'event:' .. 999999 + i) end"
RATE, LATENCY_S = 500, 5
LEASE_S = 2  # as queue_ours has it
KILLS = 3

ENQUEUE = "enqueue, 500 a call"
ONE_CONSUMER = "reserve + ack, 100 a batch, one consumer"
TWO_CONSUMERS = "reserve + ack, 100 a batch, two consumers"
SAME_CORE = "one by one, consumer and server on one core"
TWO_CORES = "one by one, on two cores"
P50, P99 = f"push to handler, {RATE}/s, p50", f"push to handler, {RATE}/s, p99"
BYTES = "memory of a waiting item"
KILL = "kill -9 until its items are handled, in leases"

UNITS = {
    ENQUEUE: "{:,.0f}/s", ONE_CONSUMER: "{:,.0f}/s", TWO_CONSUMERS: "{:,.0f}/s", SAME_CORE: "{:,.0f}/s",
    TWO_CORES: "{:,.0f}/s", P50: "{:,.0f} µs", P99: "{:,.0f} µs", BYTES: "{:.1f} bytes", KILL: "{:.3f}",
}
ROWS = [
    Row(ENQUEUE, LPUSH, "0.3"),
    Row(ONE_CONSUMER, BARE, "10", at_least=1.5),
    Row(ONE_CONSUMER, BULLMQ, "40", at_least=5),
    Row(ONE_CONSUMER, BARE_C),
    Row(ONE_CONSUMER, RPOPLPUSH),
    Row(TWO_CONSUMERS, BARE, "6", at_least=1.5),
    Row(TWO_CONSUMERS, BULLMQ, at_least=5),
    Row(TWO_CONSUMERS, BARE_C),
    Row(SAME_CORE, BARE, "1.8", at_least=1),
    Row(SAME_CORE, BULLMQ),
    Row(SAME_CORE, BARE_C),
    Row(TWO_CORES, BARE, "2", at_least=1),
    Row(TWO_CORES, BULLMQ),
    Row(TWO_CORES, BARE_C),
    Row(P50, BARE, "0.9", at_most=1),
    Row(P99, BARE, at_most=1),
    Row(P50, BARE_C),
    Row(P99, BARE_C),
    Row(BYTES, None, "72", at_most=80),
    Row(BYTES, LPUSH),
    Row(BYTES, BULLMQ),
    Row(KILL, None, "1.00", at_most=1.01),
]


class Contest:
    def __init__(self, server, rounds):
        self.server = server
        self.rounds = rounds
        self.samples = Samples(UNITS)
        self.ages = {}
        self.environment = node_packages("bullmq@6", "ioredis@5")
        self.contestants = [who for who in COMMANDS if who != BULLMQ or self.environment]

    def turn(self, who, *words, cpus=None, db=0):
        address = self.server.socket + (f"?db={db}" if db else "")
        return Turn([*COMMANDS[who], address, *words], cpus, self.environment)

    def fill(self, who, count):
        self.server.client.flushall()
        if who in (OURS, BULLMQ):
            return together([self.turn(who, "push", 500, count)])
        return self.server.client.eval(LPUSH_ALL, 0, count)

    def drain(self, figure, who, count, batch, consumers=1, cpus=None):
        self.fill(who, count)
        handled, seconds = together([self.turn(who, "drain", batch, cpus=cpus) for _ in range(consumers)])
        assert handled == count, f"{who} handled {handled} of {count}"
        self.samples.add(figure, who, count / seconds)

    def enqueue(self):
        count, seconds = self.fill(OURS, BATCH_ITEMS[OURS])
        self.samples.add(ENQUEUE, OURS, count / seconds)
        self.server.client.flushall()
        self.samples.add(ENQUEUE, LPUSH, redis_benchmark(self.server, 300_000, "LPUSH", "Q", "event:1234567"))

    def batches(self):
        for who in self.contestants:
            self.drain(ONE_CONSUMER, who, BATCH_ITEMS[who], 100)
            self.drain(TWO_CONSUMERS, who, BATCH_ITEMS[who], 100, consumers=2)
        self.fill(RPOPLPUSH, 300_000)
        self.samples.add(ONE_CONSUMER, RPOPLPUSH,
                         redis_benchmark(self.server, 300_000, "RPOPLPUSH", "Q", "Q-processing"))

    def one_by_one(self):
        every = sorted(os.sched_getaffinity(0))
        pin(self.server.process.pid, every[:1])
        for who in self.contestants:
            self.drain(SAME_CORE, who, SINGLE_ITEMS[who], 1, cpus=every[:1])
            if len(every) > 1:
                self.drain(TWO_CORES, who, SINGLE_ITEMS[who], 1, cpus=every[1:2])
        pin(self.server.process.pid, every)

    def latency(self):
        """The rounds share the time, and their ages are put together: a p99 needs many."""
        count = RATE * LATENCY_S // self.rounds
        for who in (OURS, BARE, BARE_C):
            self.server.client.flushall()
            handler = self.turn(who, "handle", 100, count)
            handler.go()
            together([self.turn(who, "produce", RATE, count)])
            self.ages.setdefault(who, []).extend(handler.finish()["ages"])

    def percentiles(self):
        for who, ages in self.ages.items():
            self.samples.add(P50, who, statistics.median(ages) / 1000)
            self.samples.add(P99, who, statistics.quantiles(ages, n=100)[98] / 1000)

    def used_memory(self):
        return self.server.client.info("memory")["used_memory"]

    def memory(self):
        self.fill(OURS, 500)  # the scripts take memory too, once
        for who, count in MEMORY_ITEMS.items():
            if who == BULLMQ and BULLMQ not in self.contestants:
                continue
            self.server.client.flushall()
            before = self.used_memory()
            self.fill(who, count)
            self.samples.add(BYTES, who, (self.used_memory() - before) / count)

    def kills(self):
        """All at once, each in a database of its own; the worst one counts."""
        self.server.client.flushall()
        databases = range(1, KILLS + 1)
        together([self.turn(OURS, "push", 100, 100, db=db) for db in databases])
        holders = [self.turn(OURS, "hold", 100, db=db) for db in databases]
        takers = [self.turn(OURS, "take", 100, 100, db=db) for db in databases]
        for taker in takers:
            taker.go()
        died = [self.kill(holder) for holder in holders]
        took = [taker.finish()["end"] - at for taker, at in zip(takers, died)]
        self.samples.add(KILL, OURS, max(took) / 1e9 / LEASE_S)

    @staticmethod
    def kill(holder):
        holder.go()
        assert holder.found()["count"] == 100
        at = time.monotonic_ns()
        holder.kill()
        return at


def versions(environment):
    said = [first_line("redis-server", "--version").partition(" sha=")[0], f"redis-py {redis.__version__}"]
    if environment:
        said.append("BullMQ " + node_version(environment, "bullmq"))
    return ", ".join(said)


def main():
    rounds = int(os.environ.get("ROUNDS", 3))
    with private_redis() as server:
        contest = Contest(server, rounds)
        for _ in range(rounds):
            contest.enqueue()
            contest.batches()
            contest.one_by_one()
            contest.latency()
        contest.percentiles()
        contest.memory()
        contest.kills()
    publish("queue", rounds, versions(contest.environment), table(contest.samples, ROWS))


main()
