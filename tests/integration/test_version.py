"""The version is the snapshot's ordinal: the later state wins, whoever had the lower xid."""
from harness import ticketing
from harness.traffic import Traffic


def begin(db, statement):
    connection = db.connect()
    connection.cursor().execute(statement)
    return connection


def finish(connection):
    connection.commit()
    connection.close()


def test_lower_xid_commits_last(tickets):
    """With the change's xid as the version the last state would be refused."""
    tickets.ready(ticketing.event_only())
    first = begin(tickets.db, "UPDATE ticket SET sold = true WHERE id = 1; SELECT pg_current_xact_id()")
    for ticket in (2, 3):
        finish(begin(tickets.db, f"UPDATE ticket SET sold = true WHERE id = {ticket}"))
    tickets.until_has("event:1", open="1")
    between = tickets.version("event:1")
    finish(first)
    tickets.until_has("event:1", open="0")
    assert tickets.version("event:1") > between
    tickets.in_step()


def test_lower_xid_deletes_last(tickets):
    tickets.ready(ticketing.projections())
    first = begin(tickets.db, "DELETE FROM ticket WHERE id = 1")
    finish(begin(tickets.db, "UPDATE event SET name = 'later xid' WHERE id = 1"))
    tickets.until_has("ticket:1", event="later xid")
    finish(first)
    tickets.until_gone("ticket:1")
    tickets.in_step()


def test_lower_xid_inserts_last(tickets):
    """The document was removed in between, so a tombstone stands in its way."""
    tickets.ready(ticketing.projections())
    first = begin(tickets.db, "SELECT pg_current_xact_id()")
    tickets.db.sql("DELETE FROM ticket WHERE id = 1")
    tickets.until_gone("ticket:1")
    first.cursor().execute("INSERT INTO ticket VALUES (1, 1, 55)")
    finish(first)
    tickets.until_has("ticket:1", price="55.00")
    tickets.in_step()


def test_subtransactions_and_rollbacks_between(tickets):
    tickets.ready(ticketing.event_only())
    first = begin(tickets.db, "SAVEPOINT a; UPDATE ticket SET sold = true WHERE id = 1; RELEASE a; SAVEPOINT b;"
                              "UPDATE ticket SET sold = true WHERE id = 2; ROLLBACK TO b")
    for number in range(20):
        other = begin(tickets.db, f"UPDATE event SET name = 'n{number}' WHERE id = 1")
        other.rollback() if number % 2 else other.commit()
        other.close()
    tickets.until_has("event:1", name="n18", open="3")
    finish(first)
    tickets.until_has("event:1", name="n18", open="2")
    tickets.in_step()


def test_delete_leaves_a_tombstone_for_minutes(tickets):
    tickets.ready(ticketing.projections())
    before = tickets.version("ticket:1")
    tickets.db.sql("DELETE FROM ticket WHERE id = 1")
    tickets.until_gone("ticket:1")
    tombstone = "pgusher:gone:{ticket:1}"
    assert int(tickets.redis.client.get(tombstone)) > before
    assert 60 < tickets.redis.client.ttl(tombstone) <= 600


def test_older_write_is_refused(tickets):
    """A hash that a worker with a newer view wrote is left alone."""
    tickets.ready(ticketing.event_only())
    tickets.redis.client.hset("event:1", mapping={"_v": str(2**53 - 1), "_d": "newer", "name": "newer"})
    tickets.db.sql("UPDATE event SET name = 'older' WHERE id IN (1, 2)")
    tickets.until_has("event:2", name="older")
    tickets.until_caught_up()
    assert tickets.has("event:1", name="newer")


def test_version_never_decreases(tickets):
    tickets.db.sql("CALL grow(10, 3000)")
    tickets.ready(ticketing.event_only())
    seen = []
    with Traffic(tickets.db, seed=11):
        for number in range(50):
            tickets.db.sql("UPDATE event SET name = %s WHERE id = 1", f"n{number}")
            tickets.until_has("event:1", seconds=20, name=f"n{number}")
            seen.append(tickets.version("event:1"))
    assert seen == sorted(set(seen))


def test_unchanged_document_is_not_queued(tickets):
    tickets.ready(ticketing.event_only())
    tickets.db.sql("UPDATE event SET name = 'a' WHERE id = 1")
    tickets.until_has("event:1", name="a")
    tickets.in_step()
    tickets.drain()
    tickets.db.sql("BEGIN; UPDATE event SET name = 'b' WHERE id = 1; UPDATE event SET name = 'a' WHERE id = 1; COMMIT;"
                   "UPDATE event SET name = 'c' WHERE id = 2")
    tickets.until_has("event:2", name="c")
    tickets.in_step()
    assert tickets.drain() == ["event:2"]
