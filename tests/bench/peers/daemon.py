"""The daemon that a ticket company writes for itself: it listens, reads the rows and puts them into Redis.

daemon.py natural|good|fill CONNINFO SOCKET DB

natural: for each notification one SELECT of each view and one pipeline. good: for all notifications that have come
meanwhile, each document once. fill: every document, in stretches of 1,000.
"""
import json
import select
import sys

import psycopg2
import redis

QUEUE = "search"
STRETCH = 1000
# table -> which events, which tickets a row of another table concerns
EVENTS = {"venue": "SELECT id FROM event WHERE venue_id = ANY(%s)",
          "ticket": "SELECT DISTINCT event_id FROM ticket WHERE id = ANY(%s)"}
TICKETS = {"event": "SELECT id FROM ticket WHERE event_id = ANY(%s)",
           "venue": "SELECT t.id FROM ticket t JOIN event e ON e.id = t.event_id WHERE e.venue_id = ANY(%s)"}


class Daemon:
    def __init__(self, conninfo, socket, db):
        self.postgres = psycopg2.connect(conninfo)
        self.postgres.autocommit = True
        self.cursor = self.postgres.cursor()
        self.redis = redis.Redis(unix_socket_path=socket, db=int(db))

    def rows(self, statement, *values):
        self.cursor.execute(statement, values)
        return self.cursor.fetchall()

    def ids(self, statement, ids):
        return {id for id, in self.rows(statement, list(ids))}

    def cards(self, kind, condition, *values):
        """Rows of the view, as dictionaries."""
        rows = self.rows(f"SELECT * FROM {kind}_card WHERE {condition}", *values)
        names = [column.name for column in self.cursor.description]
        return [dict(zip(names, row)) for row in rows]

    @staticmethod
    def put(pipeline, kind, row):
        """Returns the key, which the queue must get."""
        key = f"{kind}:{row['id']}"
        pipeline.hset(key, mapping={name: str(value) for name, value in row.items() if value is not None})
        pipeline.expireat(key, int(row["starts_at"].timestamp()))
        return key

    @staticmethod
    def remove(pipeline, kind, id):
        pipeline.delete(f"{kind}:{id}")
        return f"{kind}:{id}"

    def refresh(self, pipeline, kind, ids):
        """One SELECT for all of them; who has no row is gone."""
        found = self.cards(kind, "id = ANY(%s)", list(ids)) if ids else []
        gone = ids - {row["id"] for row in found}
        return [self.put(pipeline, kind, row) for row in found] + [self.remove(pipeline, kind, id) for id in gone]

    def changed_ticket(self, id):
        """The usual case, by its primary key: the ticket and its event."""
        pipeline = self.redis.pipeline(transaction=False)
        tickets = self.cards("ticket", "id = %s", id)
        for ticket in tickets:
            pipeline.lpush(QUEUE, self.put(pipeline, "ticket", ticket))
            for event in self.cards("event", "id = %s", ticket["event_id"]):
                pipeline.lpush(QUEUE, self.put(pipeline, "event", event))
        if not tickets:
            pipeline.lpush(QUEUE, self.remove(pipeline, "ticket", id))
        pipeline.execute()

    def changed(self, changes):
        """Each document once, and all keys queued by one command. changes: (table, id)"""
        pipeline, keys, by_table = self.redis.pipeline(transaction=False), [], {}
        for table, id in changes:
            by_table.setdefault(table, set()).add(id)
        for kind, routes in (("event", EVENTS), ("ticket", TICKETS)):
            ids = [self.ids(routes[table], ids) if table != kind else ids for table, ids in by_table.items()]
            keys += self.refresh(pipeline, kind, set().union(*ids))
        if keys:
            pipeline.lpush(QUEUE, *keys)
            pipeline.execute()

    def natural(self, changes):
        for table, id in changes:
            if table == "ticket":
                self.changed_ticket(id)
            else:
                self.changed([(table, id)])

    def follow(self, handle):
        self.cursor.execute("LISTEN changes")
        print("ready", flush=True)
        while True:
            if not self.postgres.notifies:
                select.select([self.postgres], [], [])
                self.postgres.poll()
            waiting, self.postgres.notifies = self.postgres.notifies, []
            handle([(change["table"], change["id"]) for change in (json.loads(one.payload) for one in waiting)])

    def fill(self, first, last):
        """Tickets of that range of ids."""
        for start in range(first, last + 1, STRETCH):
            pipeline = self.redis.pipeline(transaction=False)
            rows = self.cards("ticket", "id BETWEEN %s AND %s", start, min(start + STRETCH - 1, last))
            pipeline.lpush(QUEUE, *[self.put(pipeline, "ticket", row) for row in rows])
            pipeline.execute()


def main(kind, conninfo, socket, db, *more):
    daemon = Daemon(conninfo, socket, db)
    if kind == "fill":
        daemon.fill(*map(int, more))
    else:
        daemon.follow(daemon.natural if kind == "natural" else daemon.changed)


main(*sys.argv[1:])
