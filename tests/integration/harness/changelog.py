"""The changelog without programs: a table whose changes are logged, and readers that are plain sessions."""
import json
import os

from .box import projection
from .programs import run_program

SCHEMA = """CREATE TABLE doc (id int PRIMARY KEY, v int NOT NULL DEFAULT 0);
            CREATE VIEW doc_card AS SELECT * FROM doc"""


class Log:
    def __init__(self, folder, db):
        self.path = os.path.join(folder, "changelog.json")
        self.db = db
        db.sql(SCHEMA)

    def install(self, fleet="default", **more):
        """Writes the configuration of a fleet and installs it."""
        self.configure(fleet, **more)
        return self.pgusher("install").must(0)

    def configure(self, fleet="default", **more):
        config = {"fleet": fleet, "postgres": self.db.conninfo(), "redis": "unix:///nonexistent",
                  "projections": {"doc": projection("doc_card", {"doc": "id"}, key="doc:{id}")}, **more}
        with open(self.path, "w") as file:
            json.dump(config, file)

    def pgusher(self, *arguments):
        return run_program("pgusher", "-c", self.path, *arguments)

    def write(self, *ids):
        self.db.sql("INSERT INTO doc SELECT unnest(%s) ON CONFLICT (id) DO UPDATE SET v = doc.v + 1", list(ids))

    def write_many(self, count, start=1):
        self.db.sql("INSERT INTO doc SELECT generate_series(%s, %s)", start, start + count - 1)

    def rows(self):
        return self.db.value("SELECT count(*) FROM pgusher.changelog")

    def tables(self):
        """How many rows each log table holds."""
        return [self.db.value(f"SELECT count(*) FROM ONLY pgusher.changelog_{n}") for n in range(4)]

    def current(self):
        return self.db.value("SELECT pg_sequence_last_value('pgusher.gauge') & 3")

    def stop_at(self):
        return self.db.value("SELECT pg_sequence_last_value('pgusher.gauge') >> 2")

    def last_seq(self):
        return self.db.value("SELECT coalesce(pg_sequence_last_value('pgusher.changelog_seq'), 0)")

    def part_of(self, number):
        return self.db.value("SELECT (hash_array(ARRAY[%s::text]) & 2147483647) %% partitions FROM pgusher.meta", number)

    def upkeep(self):
        """(events, idle)"""
        return self.db.sql("SELECT events, idle FROM pgusher.upkeep()")[0]

    def apply_all(self, fleet="default"):
        """The fleet's cursors as if it had applied everything by now."""
        self.db.sql("""UPDATE pgusher.cursor SET done = pg_current_snapshot(), upto = NULL, at_xid = '0', at_seq = 0,
                       moved_at = now() WHERE fleet = %s""", fleet)

    def can_resume(self, done):
        return self.db.value("SELECT pgusher.can_resume(%s)", done)

    def snapshot(self):
        return self.db.value("SELECT pg_current_snapshot()")


class Reader:
    """A session that reads some partitions as a worker does, from a cursor of its own."""

    READ = """SELECT upto::text, state, gates, xid::text, seq, keys FROM pgusher.read_changes(
              %s::pg_snapshot, %s::pg_snapshot, %s::xid8, %s, %s, %s::smallint, %s::smallint[], %s::smallint[], %s)"""

    def __init__(self, db, parts, number=0, done=None, user="postgres"):
        self.connection = db.connect(user, autocommit=True)
        self.sql = self.connection.cursor()
        self.parts = parts
        self.number = number
        self.gates = []
        self.done = done or self.value("SELECT pg_current_snapshot()::text")
        self.begin(None)

    def begin(self, upto):
        self.upto, self.at_xid, self.at_seq = upto, "0", 0

    def value(self, statement, *values):
        self.sql.execute(statement, values or None)
        return self.sql.fetchone()[0]

    def read(self, limit=1000, may_sleep=False, parts=None):
        """(state, keys) of the next page; the cursor moves over it."""
        self.sql.execute(self.READ, (self.done, self.upto, self.at_xid, self.at_seq, limit, self.number,
                                     parts or self.parts, self.gates, may_sleep))
        *page, (self.upto, state, self.gates, *_) = self.sql.fetchall()
        if state == "lost":
            return state, []
        if page:
            self.at_xid, self.at_seq = page[-1][3], page[-1][4]
        if len(page) < limit:
            self.done = self.upto
            self.begin(None)
        return state, [row[5] for row in page]

    def read_all(self, limit=1000):
        """Every key until there is nothing more."""
        found = []
        while True:
            state, keys = self.read(limit)
            assert state != "lost"
            found += keys
            if state == "poll":
                return found

    def listen(self):
        self.sql.execute("LISTEN pgusher")

    def heard(self):
        """Payloads of the notifications since the last call."""
        self.sql.execute("SELECT")  # a round trip: what was sent before has arrived
        self.connection.poll()
        payloads = [notify.payload for notify in self.connection.notifies]
        self.connection.notifies.clear()
        return payloads

    def close(self):
        self.connection.close()
