"""The changelog's life in the hands of workers: nobody but they calls upkeep."""
from harness import ticketing
from harness.waiting import until


def test_the_changelog_empties_by_itself(tickets):
    tickets.ready(ticketing.projections(), look_back="1 s")
    tickets.db.sql("UPDATE event SET name = 'x'")
    tickets.in_step()
    assert tickets.changes() > 0
    until(lambda: tickets.changes() == 0, 15)
    tickets.db.sql("UPDATE event SET name = 'y'")
    tickets.in_step()


def test_workers_whose_partitions_are_quiet_hold_nothing_up(tickets):
    """All traffic is in one partition; three of four workers have nothing to do but let go of the tables."""
    tickets.ready(ticketing.event_only(), look_back="1 s")
    for _ in range(3):
        tickets.start()
    until(lambda: tickets.db.value("SELECT count(DISTINCT pid) FROM pg_locks WHERE classid = 1885828468 AND granted") == 4, 10)
    seen = set()

    def goes_round():
        tickets.db.sql("UPDATE event SET name = name || 'x' WHERE id = 1")
        seen.add(tickets.db.value("SELECT pg_sequence_last_value('pgusher.gauge') & 3"))
        return len(seen) == 4 and tickets.changes() < tickets.db.value("SELECT last_value FROM pgusher.changelog_seq")
    until(goes_round, 30)
    assert not any(daemon.said("lost") for daemon in tickets.daemons)
    tickets.in_step()


def test_a_worker_at_rest_beside_a_long_transaction(tickets):
    """What the transaction wrote is applied when it commits, though the tables went round many times meanwhile."""
    tickets.ready(ticketing.event_only(), look_back="1 s")
    holder = tickets.db.connect()
    holder.cursor().execute("UPDATE event SET name = 'late' WHERE id = 2")
    seen = []

    def goes_round():
        tickets.db.sql("UPDATE event SET name = name || 'x' WHERE id = 1")
        current = tickets.db.value("SELECT pg_sequence_last_value('pgusher.gauge') & 3")
        if seen[-1:] != [current]:
            seen.append(current)
        return len(seen) > 5
    until(goes_round, 40)
    holder.commit()
    holder.close()
    tickets.until_has("event:2", name="late")
    tickets.in_step()
    until(lambda: tickets.changes() == 0, 15)
