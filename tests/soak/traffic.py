"""Live traffic on the marketplace until SIGTERM, then its counts as JSON on stdout.

    traffic.py CONNINFO CHANGES_PER_SECOND SEED EVENTS

The writers of the fault table's load, and: keys that change, bulk statements, documents that expire within seconds, events in
many locales, transactions that stay open for seconds, and one writer that does nothing but change the documents whose
history is recorded (events up to RESERVED and their tickets, which the others leave alone).
"""
import sys
import time

import paths  # noqa: F401 makes the others importable

import psycopg2

from harness.locales import LOCALES
from tools.load import RESERVED, Writer, run

HAPPENINGS = 9


class Seller(Writer):
    SESSION = f"{Writer.SESSION}; SET lock_timeout = '2s'"
    HARMLESS = (*Writer.HARMLESS, psycopg2.errors.UniqueViolation, psycopg2.errors.LockNotAvailable)

    def rekey_ticket(self):
        self.sql("UPDATE ticket SET id = %s WHERE id = %s", self.ticket(), self.ticket())

    def rekey_event(self):
        """Its tickets follow."""
        self.sql("UPDATE event SET id = %s WHERE id = %s", self.event(), self.event())

    def bulk(self):
        first = self.ticket()
        self.sql("UPDATE ticket SET price = price + 1 WHERE id BETWEEN %s AND %s", first, first + self.dice.randint(50, 300))

    def clear(self):
        """Gone, and there again, in one transaction or in two."""
        first = self.ticket()
        self.sql("DELETE FROM ticket WHERE id BETWEEN %s AND %s", first, first + 30)
        if self.dice.random() < 0.7:
            self.refill(first)

    def refill(self, first=None):
        first = first or self.ticket()
        self.sql("INSERT INTO ticket SELECT n, e.id, n %% 90 FROM generate_series(%s, %s) n JOIN event e ON e.id = (n + 2) / 3 "
                 "WHERE n <= %s ON CONFLICT DO NOTHING", first, first + 30, 3 * self.events)

    def brief_event(self):
        """Its document goes by itself in some seconds, its tickets' documents sooner."""
        self.sql("UPDATE event SET starts_at = now() - interval '10 days' + %s * interval '1 s' WHERE id = %s",
                 self.dice.randint(1, 4), self.event())

    def brief_tickets(self):
        self.sql("UPDATE event SET starts_at = now() + %s * interval '1 s' WHERE id = %s", self.dice.randint(1, 4), self.event())

    def translate(self):
        self.sql("INSERT INTO translation VALUES (%s, %s, %s) ON CONFLICT (happening, code) DO UPDATE SET title = excluded.title",
                 self.happening(), self.locale(), f"ť {self.dice.random()}")

    def untranslate(self):
        self.sql("DELETE FROM translation WHERE happening = %s", self.happening())

    def rename_happening(self):
        self.sql("INSERT INTO happening VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET name = excluded.name",
                 self.happening(), f"event {self.dice.random()}")

    def cancel_happening(self):
        self.sql("DELETE FROM happening WHERE id = %s", self.happening())

    def add_locale(self):
        self.sql("INSERT INTO locale VALUES (%s) ON CONFLICT DO NOTHING", self.locale())

    def drop_locale(self):
        self.sql("DELETE FROM locale WHERE code = %s", self.locale())

    def happening(self):
        return self.dice.randint(1, HAPPENINGS)

    def locale(self):
        return f"l{self.dice.randint(1, LOCALES)}"

    WEIGHTS = {**Writer.WEIGHTS, rekey_ticket: 4, rekey_event: 2, bulk: 0.3, clear: 0.5, refill: 1, brief_event: 0.5, brief_tickets: 0.5,
               translate: 2, untranslate: 0.3, rename_happening: 0.4, cancel_happening: 0.1, add_locale: 0.2, drop_locale: 0.1}


class Slow(Seller):
    """Stays in each transaction for seconds, holding what it changed."""

    def steps(self):
        super().steps()
        self.stopped.wait(self.dice.uniform(0.5, 8))


class Counter(Seller):
    """Changes the documents whose history is recorded."""

    def one(self):
        table = self.dice.choice(("event", "ticket"))
        return table, self.dice.randint(1, RESERVED if table == "event" else 3 * RESERVED)

    def count(self):
        table, number = self.one()
        self.sql(f"UPDATE {table} SET memo = %s WHERE id = %s", str(time.time()), number)

    def delete_ticket(self):
        self.sql("DELETE FROM ticket WHERE id = %s", self.dice.randint(1, 3 * RESERVED))

    def insert_ticket(self):
        number = self.dice.randint(1, 3 * RESERVED)
        self.sql("INSERT INTO ticket VALUES (%s, %s, 5) ON CONFLICT DO NOTHING", number, (number + 2) // 3)

    WEIGHTS = {count: 20, delete_ticket: 1, insert_ticket: 2}


def main(conninfo, rate, seed, events):
    rate = float(rate)
    crew = [(Seller, rate / 4, f"{seed}-{number}") for number in range(3)]
    crew += [(Slow, rate / 4, f"{seed}-slow"), (Counter, rate / 4, f"{seed}-counter")]
    run(crew, conninfo, int(events))


if __name__ == "__main__":
    main(*sys.argv[1:])
