"""Changes on the ticket marketplace from several connections at a steady rate, until SIGTERM; then its counts as JSON on stdout.

    load.py CONNINFO CHANGES_PER_SECOND CONNECTIONS SEED EVENTS

A process of its own, so that it does not share an interpreter with what measures. It outlives every failure of PostgreSQL: a
connection that is lost is opened again. What a lost COMMIT did is not counted, nor is time in which nobody could commit. Ids come
from a fixed range, so documents vanish and return under the same key. Events up to RESERVED and their tickets are never touched.
"""
import json
import random
import signal
import sys
import threading
import time

import psycopg2

RESERVED = 10
RETRY_SECONDS = 0.05
OUTAGE_SECONDS = 0.3  # without any commit


class Stop(Exception):
    pass


def lost(error):
    """Whether the connection is of no use after it: no SQLSTATE came, or the server ended it, or it is no primary."""
    return not error.pgcode or error.pgcode[:2] in ("08", "57") or error.pgcode == "25006"


class Outages:
    """The time in which no writer committed."""

    def __init__(self):
        self.last = time.monotonic()
        self.seconds = 0.0
        self._lock = threading.Lock()

    def committed(self):
        with self._lock:
            now = time.monotonic()
            self.seconds += now - self.last if now - self.last > OUTAGE_SECONDS else 0
            self.last = now


class Writer(threading.Thread):
    SESSION = "SET deadlock_timeout = '20ms'; SET synchronous_commit = on"
    HARMLESS = (psycopg2.errors.DeadlockDetected, psycopg2.errors.ForeignKeyViolation)  # the transaction is given up

    def __init__(self, conninfo, rate, events, seed, stopped, outages):
        super().__init__(daemon=True)
        self.conninfo, self.rate, self.events, self.stopped, self.outages = conninfo, rate, events, stopped, outages
        self.dice = random.Random(seed)
        self.changes = 0
        self.rows = 0
        self.latencies = []  # seconds of each transaction
        self.failure = None

    # what happens on a marketplace

    def sql(self, statement, *values):
        self.cursor.execute(statement, values)
        self.rows += max(self.cursor.rowcount, 0)

    def event(self):
        return self.dice.randint(RESERVED + 1, self.events)

    def ticket(self):
        return self.dice.randint(3 * RESERVED + 1, 3 * self.events)

    def sell(self):
        self.sql("UPDATE ticket SET sold = NOT sold WHERE id = %s", self.ticket())

    def price(self):
        self.sql("UPDATE ticket SET price = %s WHERE id = %s", self.dice.randint(1, 9999) / 100, self.ticket())

    def offer(self):
        self.sql("INSERT INTO ticket SELECT %s, id, 12.5 FROM event WHERE id = %s ON CONFLICT DO NOTHING",
                 self.ticket(), self.event())

    def withdraw(self):
        self.sql("DELETE FROM ticket WHERE id = %s", self.ticket())

    def move_ticket(self):
        self.sql("UPDATE ticket SET event_id = e.id FROM event e WHERE e.id = %s AND ticket.id = %s",
                 self.event(), self.ticket())

    def rename_event(self):
        self.sql("UPDATE event SET name = %s WHERE id = %s", f'"É" {self.dice.random()}', self.event())

    def plan_event(self):
        self.sql("INSERT INTO event VALUES (%s, %s, 'new', now() + interval '40 days') ON CONFLICT DO NOTHING",
                 self.event(), self.dice.randint(1, 3))

    def cancel_event(self):
        self.sql("DELETE FROM event WHERE id = %s", self.event())

    def move_event(self):
        self.sql("UPDATE event SET venue_id = %s WHERE id = %s", self.dice.randint(1, 3), self.event())

    def past_event(self):
        self.sql("UPDATE event SET starts_at = now() - interval '20 days' WHERE id = %s", self.event())

    def future_event(self):
        self.sql("UPDATE event SET starts_at = now() + %s * interval '1 day' WHERE id = %s",
                 self.dice.randint(2, 400), self.event())

    def rename_venue(self):
        self.sql("UPDATE venue SET name = %s WHERE id = %s", f"Venue {self.dice.random()}", self.dice.randint(1, 3))

    def several(self):
        first = self.ticket()
        self.sql("UPDATE ticket SET price = price + 1 WHERE id BETWEEN %s AND %s", first, first + 9)

    WEIGHTS = {sell: 20, price: 20, offer: 16, withdraw: 3, move_ticket: 8, rename_event: 8, plan_event: 6, cancel_event: 1,
               move_event: 3, past_event: 1, future_event: 3, several: 2}

    def step(self):
        self.dice.choices(list(self.WEIGHTS), list(self.WEIGHTS.values()))[0](self)

    def with_savepoint(self):
        """Half of them take back what they did since the savepoint."""
        self.cursor.execute("SAVEPOINT s")
        before = self.rows
        self.step()
        if self.dice.random() < 0.5:
            self.cursor.execute("ROLLBACK TO s")
            self.rows = before

    def steps(self):
        for _ in range(self.dice.randint(1, 4)):
            self.with_savepoint() if self.dice.random() < 0.1 else self.step()
        if self.dice.random() < 0.0005:
            self.rename_venue()

    def transaction(self):
        """Rows changed by a transaction that was committed."""
        self.rows = 0
        began = time.monotonic()
        try:
            self.steps()
            if self.dice.random() < 0.05:
                self.connection.rollback()
                return 0
            self.connection.commit()
        except self.HARMLESS:
            self.connection.rollback()
            return 0
        self.latencies.append(time.monotonic() - began)
        self.outages.committed()
        return self.rows

    # the thread

    def connect(self):
        while not self.stopped.is_set():
            try:
                self.connection = psycopg2.connect(self.conninfo, application_name="load", connect_timeout=2)
                self.cursor = self.connection.cursor()
                self.cursor.execute(self.SESSION)
                self.connection.commit()
                return
            except psycopg2.Error:
                self.stopped.wait(RETRY_SECONDS)
        raise Stop

    def pace(self, due, changes):
        """When the next transaction may begin. One that is far behind does not hurry to make up for it."""
        due = max(due + changes / self.rate, time.monotonic() - 0.2)
        self.stopped.wait(max(0, due - time.monotonic()))
        return due

    def work(self):
        due = time.monotonic()
        while not self.stopped.is_set():
            try:
                changes = self.transaction()
                self.changes += changes
                due = self.pace(due, changes)
            except psycopg2.Error as error:
                if not lost(error):
                    raise
                self.connection.close()
                self.connect()

    def run(self):
        try:
            self.connect()
            self.work()
            self.connection.close()
        except Stop:
            pass
        except Exception as failure:  # noqa: BLE001 reported by main
            self.failure = repr(failure)


def main(conninfo, rate, connections, seed, events):
    count = int(connections)
    run([(Writer, float(rate) / count, f"{seed}-{number}") for number in range(count)], conninfo, int(events))


def run(crew, conninfo, events):
    """Lets these writers (class, changes per second, seed) work until SIGTERM."""
    stopped, outages = threading.Event(), Outages()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    writers = [kind(conninfo, rate, events, seed, stopped, outages) for kind, rate, seed in crew]
    began = time.monotonic()
    for writer in writers:
        writer.start()
    while not stopped.wait(0.05):
        pass
    for writer in writers:
        writer.join(10)
    outages.committed()
    json.dump({"changes": sum(writer.changes for writer in writers), "seconds": time.monotonic() - began - outages.seconds,
               "latencies": sorted(latency for writer in writers for latency in writer.latencies),
               "failures": [writer.failure for writer in writers if writer.failure]}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
