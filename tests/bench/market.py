"""The workload of the benchmarks: a ticket marketplace in a PostgreSQL and a Redis of its own.

1,000 venues, 20,000 events, 500,000 tickets. Documents: event (joined with its venue, count and minimum over its
tickets) and ticket (joined with event and venue), both with a date on which they expire, both queued.
"""
import contextlib
import os
import shutil
import tempfile

from harness.box import Box, projection
from harness.postgres import Cluster, program
from harness.programs import run_program
from harness.redis_server import RedisServer
from report import first_line

VENUES, EVENTS, TICKETS = 1_000, 20_000, 500_000
LIMIT_S = 600

# As a server in production has it; the tests' own settings are for speed, and log much.
SETTINGS = {"fsync": "on", "full_page_writes": "on", "shared_preload_libraries": "", "shared_buffers": "512MB",
            "log_min_duration_statement": "-1", "checkpoint_timeout": "30min", "autovacuum_naptime": "10s"}

SCHEMA = """
    CREATE TABLE venue (id int PRIMARY KEY, name text NOT NULL, city text NOT NULL);
    CREATE TABLE event (id int PRIMARY KEY, venue_id int NOT NULL, name text NOT NULL, starts_at timestamptz NOT NULL);
    CREATE TABLE ticket (id int PRIMARY KEY, event_id int NOT NULL, price numeric(10, 2) NOT NULL,
                         sold boolean NOT NULL DEFAULT false, seat text NOT NULL);
    CREATE VIEW event_card AS
        SELECT e.id, e.name, e.starts_at, v.name AS venue, v.city, t.tickets_left, t.cheapest
        FROM event e JOIN venue v ON v.id = e.venue_id
        CROSS JOIN LATERAL (SELECT count(*) AS tickets_left, min(price) AS cheapest FROM ticket
                             WHERE event_id = e.id AND NOT sold) t;
    CREATE VIEW ticket_card AS
        SELECT t.id, t.event_id, t.price, t.sold, t.seat, e.name AS event, e.starts_at, v.name AS venue, v.city
        FROM ticket t JOIN event e ON e.id = t.event_id JOIN venue v ON v.id = e.venue_id;
"""

ROWS = """
    INSERT INTO venue SELECT id, 'Venue ' || id, 'City ' || id % 100 FROM generate_series(1, {venues}) id;
    INSERT INTO event SELECT id, id % {venues} + 1, 'Event ' || id, date_trunc('day', now()) + interval '30 days' + id * interval '1 min'
      FROM generate_series(1, {events}) id;
    INSERT INTO ticket SELECT id, id % {events} + 1, 10 + id % 90 + 0.5, false, 'Row ' || id % 40 || ', seat ' || id % 25
      FROM generate_series(1, {tickets}) id;
"""

# Afterwards, which is faster.
KEYS = """
    CREATE INDEX ON event (venue_id);
    CREATE INDEX ON ticket (event_id);
    ALTER TABLE event ADD FOREIGN KEY (venue_id) REFERENCES venue;
    ALTER TABLE ticket ADD FOREIGN KEY (event_id) REFERENCES event;
"""

PROJECTIONS = {
    "event": projection("event_card", {
        "event": "id", "ticket": "event_id",
        "venue": {"column": "id", "lookup": "SELECT id FROM event WHERE venue_id = ANY($1)"},
    }, key="event:{id}", expire_at="starts_at", queues=["{search}"]),
    "ticket": projection("ticket_card", {
        "ticket": "id",
        "event": {"column": "id", "lookup": "SELECT id FROM ticket WHERE event_id = ANY($1)"},
        "venue": {"column": "id", "lookup":
                  "SELECT t.id FROM ticket t JOIN event e ON e.id = t.event_id WHERE e.venue_id = ANY($1)"},
    }, key="ticket:{id}", expire_at="starts_at", queues=["{search}"]),
}


@contextlib.contextmanager
def market(scale=1.0, settings=None):
    """A box with the tables, filled (unless scale is 0) and vacuumed; nothing of pgusher's yet but its configuration."""
    folder = tempfile.mkdtemp(prefix="pgusher-bench.", dir="/tmp")  # short: a socket's path has 107 bytes at most
    os.chmod(folder, 0o755)
    cluster, redis = Cluster(os.path.join(folder, "pg"), {**SETTINGS, **(settings or {})}), RedisServer(os.path.join(folder, "redis"))
    try:
        cluster.start()
        redis.start()
        box = Box(folder, cluster.create(), redis)
        box.db.sql(SCHEMA)
        if scale:
            fill(box.db, scale)
        box.use(PROJECTIONS)
        yield box
    finally:
        redis.remove()
        cluster.remove()
        shutil.rmtree(folder)


def fill(db, scale=1.0):
    db.sql(ROWS.format(venues=VENUES, events=EVENTS, tickets=int(TICKETS * scale)))
    db.sql(KEYS)
    db.sql("VACUUM ANALYZE")
    db.sql("CHECKPOINT")


def backfill(box):
    """All documents, by the command alone, however many there are."""
    run_program("pgusher", "-c", box.path, "backfill", seconds=LIMIT_S).must(0)


def versions(*more):
    """Of the servers, and of what else took part."""
    redis = first_line("redis-server", "--version").partition(" sha=")[0]
    return ", ".join([first_line(program("postgres"), "--version"), redis, *more])
