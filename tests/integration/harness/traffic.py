"""Random transactions on the marketplace from several connections: the same for the same seed."""
import random
import threading

import psycopg2

EVENTS = 3000  # three venues of 1,000 events each
RESERVED = 10  # ids up to here are never touched: tests keep them for themselves


class Client:
    """One connection that runs its share of the transactions."""

    def __init__(self, db, number, seed):
        self.db = db
        self.random = random.Random(f"{seed}-{number}")
        self.next_id = 10_000_000 * (number + 1) + 100_000 * seed
        self.cursor = None

    def event(self):
        return self.random.randint(RESERVED + 1, EVENTS)

    def ticket(self):
        return self.random.randint(3 * RESERVED + 1, 3 * EVENTS)

    def new_id(self):
        self.next_id += 1
        return self.next_id

    def sql(self, statement, *values):
        self.cursor.execute(statement, values)

    # what happens on a marketplace

    def sell(self):
        self.sql("UPDATE ticket SET sold = true WHERE id = %s", self.ticket())

    def price(self):
        self.sql("UPDATE ticket SET price = %s WHERE id = %s", self.random.randint(1, 9999) / 100, self.ticket())

    def offer(self):
        self.sql("INSERT INTO ticket SELECT %s, id, 12.5 FROM event WHERE id = %s", self.new_id(), self.event())

    def withdraw(self):
        self.sql("DELETE FROM ticket WHERE id = %s", self.ticket())

    def move_ticket(self):
        self.sql("UPDATE ticket SET event_id = e.id FROM event e WHERE e.id = %s AND ticket.id = %s",
                 self.event(), self.ticket())

    def rename_event(self):
        self.sql("UPDATE event SET name = %s WHERE id = %s", f'"É" {self.random.random()}', self.event())

    def plan_event(self):
        event = self.new_id()
        self.sql("INSERT INTO event VALUES (%s, %s, 'new', now() + interval '40 days')", event, self.random.randint(1, 3))
        self.sql("INSERT INTO ticket SELECT %s + n, %s, 5 FROM generate_series(1, 3) n", event * 10, event)

    def cancel_event(self):
        self.sql("DELETE FROM event WHERE id = %s", self.event())

    def move_event(self):
        self.sql("UPDATE event SET venue_id = %s WHERE id = %s", self.random.randint(1, 3), self.event())

    def past_event(self):
        self.sql("UPDATE event SET starts_at = now() - interval '20 days' WHERE id = %s", self.event())

    def future_event(self):
        self.sql("UPDATE event SET starts_at = now() + %s * interval '1 day' WHERE id = %s",
                 self.random.randint(2, 400), self.event())

    def undated_event(self):
        self.sql("UPDATE event SET starts_at = NULL WHERE id = %s", self.event())

    def rename_venue(self):
        self.sql("UPDATE venue SET name = %s WHERE id = %s", f"Venue {self.random.random()}", self.random.randint(1, 3))

    def write_memo(self):
        self.sql("UPDATE event SET memo = %s WHERE id = %s", str(self.random.random()), self.event())

    COMMON = (sell, price, offer, withdraw, move_ticket, rename_event, plan_event, cancel_event, move_event,
              past_event, future_event, undated_event, write_memo)

    def step(self):
        self.random.choice(self.COMMON)(self)

    def with_savepoint(self):
        """Half of them take back what they did since the savepoint."""
        self.sql("SAVEPOINT s")
        self.step()
        self.step()
        self.sql(self.random.choice(("ROLLBACK TO s", "RELEASE s")))

    def steps(self):
        for _ in range(self.random.randint(1, 5)):
            if self.random.random() < 0.2:
                self.with_savepoint()
            else:
                self.step()
        if self.random.random() < 0.02:
            self.rename_venue()

    def transaction(self, connection):
        try:
            self.steps()
            if self.random.random() < 0.1:
                connection.rollback()
            else:
                connection.commit()
        except (psycopg2.errors.DeadlockDetected, psycopg2.errors.ForeignKeyViolation):
            connection.rollback()

    def run(self, transactions, done):
        connection = self.db.connect()
        self.cursor = connection.cursor()
        self.sql("SET deadlock_timeout = '20ms'")
        connection.commit()
        for _ in range(transactions):
            self.transaction(connection)
            done()
        connection.close()


class Traffic:
    """Runs in the background; leaving the with block waits for the end and re-raises what went wrong."""

    def __init__(self, db, transactions=2000, connections=8, seed=1):
        self.total = transactions // connections * connections
        self.count = 0
        self._errors = []
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(Client(db, number, seed), transactions // connections))
                         for number in range(connections)]

    def _run(self, client, transactions):
        try:
            client.run(transactions, self._done)
        except Exception as error:  # noqa: BLE001 reported by __exit__ in the main thread
            self._errors.append(error)

    def _done(self):
        with self._lock:
            self.count += 1

    def part(self, share):
        """Whether that share of the transactions has ended, or all have failed."""
        return self.count >= share * self.total or bool(self._errors)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]
