"""How stale documents get. It updates reserved tickets and samples their hashes, until SIGTERM; then its figures as JSON on stdout.

    probe.py CONNINFO URL TICKETS UPDATES_PER_SECOND_EACH

A document is stale from the moment a commit returned until its hash shows that value or a later one. Time in which Redis does not
answer is staleness, too: a sample that cannot be had is taken when it can. "staleness" is the largest, "spans" the largest of each
span between two SIGUSR1, "seen" are the times from commit to hash, sorted.
"""
import collections
import json
import signal
import sys
import threading
import time

import psycopg2
import redis

from server import ERRORS, connect, follow

SAMPLE_SECONDS = 0.005


class Probe:
    def __init__(self, conninfo, url, tickets, rate):
        self.conninfo, self.url, self.count, self.pause = conninfo, url, tickets, 1 / (rate * tickets)
        self.waiting = [collections.deque() for _ in range(tickets)]  # (value, committed at), oldest first
        self.value = int(time.time() * 100)  # grows from run to run
        self.stopped = threading.Event()
        self.updates = 0
        self.spans = [0.0]  # the largest staleness of each
        self.seen = []

    def write(self):
        connection, due = None, time.monotonic()
        while not self.stopped.is_set():
            try:
                connection = connection or psycopg2.connect(self.conninfo, application_name="probe", connect_timeout=2)
                connection.autocommit = True
                self.update(connection.cursor())
            except psycopg2.Error:
                connection = connection and connection.close()
                self.stopped.wait(0.05)
            due = max(due + self.pause, time.monotonic() - 0.1)
            self.stopped.wait(max(0, due - time.monotonic()))

    def update(self, cursor):
        ticket = self.updates % self.count
        self.updates += 1
        value = self.value + self.updates // self.count
        cursor.execute("UPDATE ticket SET price = %s WHERE id = %s", (value % 10_000_000, ticket + 1))
        self.waiting[ticket].append((value % 10_000_000, time.monotonic()))

    def sample(self, client):
        pipe = client.pipeline(*([] if isinstance(client, redis.RedisCluster) else [False]))
        for ticket in range(self.count):
            pipe.hget(f"ticket:{ticket + 1}", "price")
        asked = time.monotonic()
        for ticket, found in enumerate(pipe.execute()):
            self.judge(ticket, float(found or 0), asked)

    def judge(self, ticket, shown, at):
        waiting = self.waiting[ticket]
        while waiting and waiting[0][0] <= shown:
            self.seen.append(at - waiting.popleft()[1])
        if waiting:
            self.spans[-1] = max(self.spans[-1], at - waiting[0][1])

    def run(self):
        writer = threading.Thread(target=self.write, daemon=True)
        client = connect(self.url)
        writer.start()
        while not self.stopped.wait(SAMPLE_SECONDS):
            try:
                follow(client)
                self.sample(client)
            except ERRORS:
                pass
        writer.join(5)


def main(conninfo, url, tickets, rate):
    probe = Probe(conninfo, url, int(tickets), float(rate))
    signal.signal(signal.SIGTERM, lambda *_: probe.stopped.set())
    signal.signal(signal.SIGUSR1, lambda *_: probe.spans.append(0.0))
    probe.run()
    json.dump({"staleness": max(probe.spans), "spans": probe.spans, "seen": sorted(probe.seen)}, sys.stdout)


main(*sys.argv[1:])
