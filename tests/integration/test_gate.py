"""NOTIFY only when somebody sleeps, no query while at rest, and no wake-up lost."""
import random
import threading

import pytest

from harness import ticketing
from harness.programs import SLOWER
from harness.waiting import stays, until

QUERIES = """SELECT coalesce(sum(calls), 0)::int FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
             WHERE datname = %s AND query NOT LIKE '%%pgusher.upkeep()' AND query NOT LIKE '%%pgusher.note_worker(%%'"""

AT_REST = """SELECT count(*) > 0 AND bool_and(state = 'idle' AND state_change < clock_timestamp() - interval '0.5 s')
             FROM pg_stat_activity WHERE datname = %s AND application_name LIKE 'pgusherd%%'"""


class Listener:
    """A foreign session that listens on our channel."""

    def __init__(self, db):
        self.connection = db.connect(autocommit=True)
        self.connection.cursor().execute("LISTEN pgusher")

    def heard(self):
        """How many say that a partition changed."""
        self.connection.cursor().execute("SELECT")  # a round trip: what was sent before has arrived
        self.connection.poll()
        return sum(notify.payload.isdigit() for notify in self.connection.notifies)

    def close(self):
        self.connection.close()


@pytest.fixture
def listener(box):
    listener = Listener(box.db)
    yield listener
    listener.close()


def rename(db, times):
    for number in range(times):
        db.sql("UPDATE event SET name = %s WHERE id = 1", f"name {number}")


def test_no_query_at_rest(tickets, cluster):
    tickets.ready(ticketing.projections())
    rename(tickets.db, 3)
    tickets.in_step()
    until(lambda: cluster.admin(AT_REST, tickets.db.name) == [(True,)])
    cluster.admin("SELECT pg_stat_statements_reset()")
    tickets.db.disconnect()
    stays(lambda: cluster.admin(QUERIES, tickets.db.name) == [(0,)], 3,
          lambda: cluster.admin("SELECT query, calls FROM pg_stat_statements"))


def test_at_rest_a_change_is_notified(tickets, listener):
    tickets.ready(ticketing.projections())
    assert listener.heard() == 0
    rename(tickets.db, 1)
    assert listener.heard() == 1


def test_no_notify_without_a_worker(tickets, listener):
    tickets.install()
    rename(tickets.db, 100)
    assert listener.heard() == 0


def test_no_notify_after_the_worker_was_killed(tickets, listener):
    tickets.ready(ticketing.projections()).kill()
    until(lambda: not tickets.asleep())
    rename(tickets.db, 100)
    assert listener.heard() == 0


def test_no_notify_while_the_worker_is_busy(tickets, listener):
    """A transaction that began to write into every partition before the worker came keeps it awake."""
    tickets.install()
    holder = tickets.db.connect()
    holder.cursor().execute("INSERT INTO event SELECT n, 1, 'open' FROM generate_series(1000, 1999) n")
    tickets.start()
    for number in range(30):
        rename(tickets.db, 10)
        tickets.until_has("event:1", name="name 9")
        tickets.db.sql("UPDATE event SET name = 'again' WHERE id = 1")
        tickets.until_has("event:1", name="again")
    assert listener.heard() == 0 and not tickets.asleep()
    holder.commit()
    holder.close()
    tickets.until_has("event:1999", name="open")
    tickets.until_asleep()


def test_notify_from_somebody_else(tickets):
    """Neither noise nor a payload on our channel confuses it, and it goes back to rest."""
    worker = tickets.ready(ticketing.projections())
    for number in range(200):
        tickets.db.sql("SELECT pg_notify('pgusher', %s)", "x" * number * 30)
    rename(tickets.db, 1)
    tickets.until_has("event:1", name="name 0")
    tickets.until_asleep()
    assert worker.alive() and not worker.said("level=error")


class Writers:
    """Six sessions that each commit one change per round, after a random pause."""

    COUNT = 6

    def __init__(self, db):
        self.db = db
        self.start = threading.Barrier(self.COUNT + 1)
        self.end = threading.Barrier(self.COUNT + 1)
        self.round = 0
        self.threads = [threading.Thread(target=self._run, args=(event,), daemon=True)
                        for event in range(1, self.COUNT + 1)]
        for thread in self.threads:
            thread.start()

    def _run(self, event):
        chance = random.Random(event)
        pause = threading.Event()
        connection = self.db.connect(autocommit=True)
        cursor = connection.cursor()
        while self._next():
            pause.wait(chance.choice((0, 0, chance.random() * 0.001, chance.random() * 0.004)))
            cursor.execute("UPDATE event SET name = %s WHERE id = %s", (f"round {self.round}", event))
            self.end.wait(60)
        connection.close()

    def _next(self):
        self.start.wait(60)
        return self.round is not None

    def commit_all(self, number):
        self.round = number
        self.start.wait(60)
        self.end.wait(60)

    def finish(self):
        self.round = None
        self.start.wait(60)
        for thread in self.threads:
            thread.join()


def all_arrived(client, number):
    pipe = client.pipeline(transaction=False)
    for event in range(1, Writers.COUNT + 1):
        pipe.hget(f"event:{event}", "name")
    return set(pipe.execute()) == {b"round %d" % number}


def test_no_wake_up_is_lost(tickets, listener):
    """Each round ends in silence, so nothing later heals a lost wake-up but the safety poll, which is
    far too late. Half of the rounds begin when the worker sleeps, half just when it is about to."""
    tickets.ready(ticketing.event_only())
    writers = Writers(tickets.db)
    chance = random.Random(1)
    rounds = 2500 // SLOWER
    for number in range(rounds):
        writers.commit_all(number)
        until(lambda: all_arrived(tickets.redis.client, number), 5 * SLOWER,
              f"the changes of round {number} within 5 s: a wake-up was lost", every=0.0003)
        if chance.random() < 0.5:
            tickets.until_asleep(5)
    writers.finish()
    assert listener.heard() > rounds / 3, "too few sleeps for this test to mean anything"
    tickets.in_step()
