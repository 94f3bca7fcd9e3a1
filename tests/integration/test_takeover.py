"""What the last owner may have left behind, and who comes after it."""
from harness import ticketing
from harness.programs import run_program


def rewind(box, done, upto):
    """The cursor as an owner saved it that died later, with everything written and nothing queued."""
    box.drain()
    box.rewind(done, upto)


def test_unchanged_documents_are_queued_again_after_a_takeover(tickets):
    tickets.install()
    tickets.pgusher("backfill").must(0)
    tickets.once()
    done = tickets.db.value("SELECT done FROM pgusher.cursor WHERE part = 0")
    tickets.db.sql("UPDATE event SET name = 'first' WHERE id = 1")
    upto = tickets.db.value("SELECT pg_current_snapshot()")
    tickets.db.sql("UPDATE event SET name = 'second' WHERE id = 2")
    tickets.once()

    for half_way in (None, upto):
        rewind(tickets, done, half_way)
        tickets.once()
        assert {"event:1", "event:2"} <= set(tickets.queued()), f"upto {half_way}"
    tickets.in_step()


def test_without_a_takeover_unchanged_documents_are_not_queued(tickets):
    tickets.ready(tickets.projections)
    tickets.drain()
    tickets.db.sql("UPDATE event SET name = name || '' WHERE id = 1")
    tickets.db.sql("UPDATE event SET name = 'other' WHERE id = 2; UPDATE event SET name = 'Event 2' WHERE id = 2")
    tickets.in_step()
    assert "event:1" not in tickets.queued()


def test_a_second_worker_takes_over_from_the_first(tickets):
    first = tickets.ready(tickets.projections)
    second = tickets.start()
    second.says("2 workers", "8 of 16")
    first.kill()
    tickets.db.sql("UPDATE event SET name = 'after' WHERE id = 1")
    tickets.until_has("event:1", seconds=2, name="after")
    second.says("caught up")
    tickets.in_step()


def test_once_says_when_another_worker_is_at_work(tickets):
    tickets.ready(tickets.projections)
    result = run_program("pgusherd", "-c", tickets.path, "--once")
    result.must(1, "another worker of fleet default")


def test_a_document_whose_link_was_cut_is_queued_as_well(tickets):
    """The dead owner removed the tickets of a past event and did not queue them. Before the next owner looks them up they are
    deleted: the event leads to them no more, and their own deletion, a batch later, finds them gone."""
    tickets.install()
    tickets.pgusher("backfill").must(0)
    done = tickets.db.value("SELECT pg_current_snapshot()")
    tickets.db.sql("UPDATE event SET starts_at = now() - interval '20 days' WHERE id = 1")
    tickets.once()
    rewind(tickets, done, None)
    session = tickets.db.connect()
    session.cursor().execute("LOCK TABLE ticket")
    tickets.start()
    tickets.until(lambda: tickets.db.value("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted"), 5, "it waits to read")
    session.cursor().execute("DELETE FROM ticket WHERE event_id = 1")
    session.commit()
    session.close()
    tickets.until_caught_up()
    assert {"ticket:1", "ticket:2", "ticket:3"} <= set(tickets.queued())


def test_what_others_removed_is_queued_by_who_finds_it_gone(tickets):
    """Whoever removed the tickets of a past event may have died before he queued them: the queue is as it would be then. Their own
    deletion, which another worker reads, may be the last change that leads to them."""
    tickets.ready(ticketing.projections())
    tickets.db.sql("UPDATE event SET starts_at = now() - interval '20 days' WHERE id = 1")
    tickets.in_step()
    tickets.drain()
    tickets.db.sql("DELETE FROM ticket WHERE event_id = 1")
    tickets.in_step()
    assert {"ticket:1", "ticket:2", "ticket:3"} <= set(tickets.queued())


def test_partitions_from_two_owners_who_stood_at_one_snapshot(tickets):
    """One was on its way to it, the other in the middle of what came next."""
    tickets.install()
    tickets.pgusher("backfill").must(0)
    tickets.once()
    passed = []
    for number in range(1, 4):
        passed.append(tickets.db.value("SELECT pg_current_snapshot()"))
        tickets.db.sql("UPDATE event SET name = %s", f"round {number}")
    for part in range(16):
        done, upto = passed[:2] if part < 8 else passed[1:]
        tickets.db.sql("UPDATE pgusher.cursor SET done = %s, upto = %s, at_xid = '0', at_seq = 0 WHERE part = %s", done, upto, part)
        tickets.redis.client.hset("pgusher:fleet:default", f"p{part}", f"{done}|{upto}|0|0")
    tickets.start()
    tickets.until_asleep()
    tickets.in_step()
