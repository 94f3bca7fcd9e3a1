"""Where a fleet goes on when Redis or PostgreSQL is not what it was."""

import pytest

from harness import ticketing
from harness.programs import run_program
from harness.relay import Relay
from harness.traffic import Traffic
from harness.waiting import until

RECORD = "pgusher:fleet:default"


def test_new_redis_is_filled_without_being_asked(tickets):
    tickets.install()
    tickets.start()
    tickets.until_asleep()
    tickets.in_step()
    assert len(tickets.queued()) == 9 + 27


def test_a_full_backfill_by_hand_is_not_repeated(tickets):
    tickets.install()
    tickets.pgusher("backfill").must(0)
    tickets.drain()
    worker = tickets.start()
    tickets.until_asleep()
    assert not worker.said("bringing all documents in step") and not tickets.queued()


def test_a_backfill_of_one_projection_is_not_all(tickets):
    tickets.install()
    tickets.pgusher("backfill", "event").must(0)
    worker = tickets.start()
    worker.says("backfill of ticket begins")
    tickets.until_asleep()
    tickets.in_step()
    assert not worker.said("backfill of event")


def test_once_fills_a_new_redis_too(tickets):
    tickets.install()
    tickets.once()
    tickets.in_step()
    assert len(tickets.queued()) == 9 + 27


@pytest.mark.parametrize("way", ("stop", "kill"))
def test_a_backfill_goes_on_where_its_worker_ended(market, way):
    """Another one takes it up; what was put and not queued by then is queued."""
    market.install()
    ended = 0
    while ended < 3 or not market.asleep():
        worker = market.start()
        market.until(lambda: worker.said("backfill of ticket", "taken up" if ended else "begins") or market.asleep(), 10,
                     "the backfill goes on", every=0.001)
        if ended < 3 and not market.asleep():
            getattr(worker, way)()
        else:
            market.until_asleep(30)
        ended += 1
    market.in_step()
    assert ended > 1 and set(market.queued()) == {key.decode() for key in market.redis.client.scan_iter("[et]*:*", 1000)}


@pytest.mark.parametrize("workers", (1, 3))
def test_flushed_at_rest(tickets, workers):
    tickets.ready(ticketing.projections())
    for _ in range(workers - 1):
        tickets.start()
    tickets.redis.client.flushall()
    tickets.until(lambda: tickets.redis.client.exists("event:9", "ticket:27") == 2, 10, "documents are back")
    tickets.until_asleep()
    tickets.in_step()
    begun = sum(daemon.said("bringing all documents in step") for daemon in tickets.daemons)
    assert begun == 1, "one worker begins it for all"


def test_flushed_under_load(market):
    market.ready(ticketing.projections())
    market.start()
    with Traffic(market.db, 3000) as traffic:
        for share in (0.2, 0.6):
            until(lambda share=share: traffic.part(share), 60)
            market.redis.client.flushall()
    market.until_asleep(30)
    market.in_step()


def test_what_was_removed_before_a_flush_is_queued_again(tickets):
    """The flush took the queue as well; neither rows nor keys tell any more what indexers must forget."""
    tickets.ready(ticketing.projections())
    tickets.db.sql("DELETE FROM event WHERE id = 3; DELETE FROM ticket WHERE id = 1")
    tickets.in_step()
    tickets.redis.client.flushall()
    tickets.until(lambda: tickets.redis.client.exists("event:9", "ticket:27") == 2, 10, "documents are back")
    tickets.until_asleep()
    tickets.in_step()
    assert {"event:3", "ticket:1", "ticket:7"} <= set(tickets.queued())


def test_what_is_removed_while_redis_is_filled_again_is_queued(market):
    """The backfill had not reached it: there was nothing to remove, but indexers know it from before the flush."""
    worker = market.ready(ticketing.projections())
    market.redis.client.flushall()
    worker.says("backfill of", "begins")
    market.db.sql("DELETE FROM ticket WHERE id > 8990")
    market.until_asleep(30)
    market.in_step()
    assert {"ticket:8991", "ticket:9000"} <= set(market.queued())


def test_what_was_not_queued_before_a_promotion_is_queued_after_it(tickets):
    """The last owner wrote documents and died before it could queue them: the backfill finds them unchanged."""
    tickets.ready(ticketing.projections()).kill()
    done = tickets.db.value("SELECT pg_current_snapshot()")
    tickets.db.sql("UPDATE event SET name = 'written' WHERE id = 2")
    tickets.once()
    tickets.drain()
    tickets.rewind(done)
    tickets.redis.client.hset("pgusher:epoch", "identity", "6543210/00000001")
    tickets.start().says("another history")
    tickets.until_asleep()
    assert tickets.queued().count("event:2") == 1
    tickets.in_step()


def test_what_a_backfill_did_not_queue_before_a_promotion_is_queued_after_it(tickets):
    """It begins anew for the new history, and finds what its owner wrote unchanged."""
    worker = tickets.ready(ticketing.projections())
    tickets.drain()
    tickets.redis.client.delete("{search}")
    tickets.redis.client.set("{search}", "in the way")
    tickets.db.sql("ALTER TABLE event DISABLE TRIGGER ALL; UPDATE event SET name = 'written' WHERE id = 2; ALTER TABLE event ENABLE TRIGGER ALL")
    tickets.pgusher("backfill", "event").must(0)
    tickets.until_has("event:2", name="written")
    worker.kill()
    tickets.redis.client.delete("{search}")
    tickets.redis.client.hset("pgusher:epoch", "identity", "6543210/00000001")
    tickets.start().says("another history")
    tickets.until_asleep()
    assert "event:2" in tickets.queued()
    tickets.in_step()


def test_what_was_not_queued_before_the_changelog_was_cut_is_queued(tickets):
    """Whoever wrote it died before it could queue it, and its change is gone when the next one comes."""
    worker = tickets.ready(ticketing.event_only())
    tickets.redis.client.delete("{search}")
    tickets.redis.client.set("{search}", "in the way")
    tickets.db.sql("UPDATE event SET name = 'written' WHERE id = 2")
    tickets.until_has("event:2", name="written")
    worker.kill()
    tickets.redis.client.delete("{search}")
    tickets.db.sql("UPDATE pgusher.meta SET horizon = pg_current_snapshot()")
    tickets.start().says("no longer goes back")
    tickets.until_asleep()
    assert "event:2" in tickets.queued()
    tickets.in_step()


def test_versions_do_not_restart_below_those_of_before(tickets):
    """Writes of a worker that did not notice yet carry the old epoch; after the flush they must not stand above the new ones."""
    tickets.ready(ticketing.projections())
    tickets.redis.client.hset("pgusher:epoch", "identity", "some other history/00000001")
    tickets.daemons[0].kill()
    tickets.start().says("another history")
    tickets.until_asleep()
    before = int(tickets.redis.client.hget("pgusher:epoch", "epoch"))
    assert before == 1
    tickets.redis.client.flushall()
    tickets.until(lambda: tickets.redis.client.exists("event:9", "ticket:27") == 2, 10, "documents are back")
    tickets.until_asleep()
    assert int(tickets.redis.client.hget("pgusher:epoch", "epoch")) >= before
    tickets.in_step()


def test_redis_restarted_with_an_older_state_gets_what_it_forgot(tickets):
    """The cursor beside the data says from where: no document but those is written again."""
    worker = tickets.ready(ticketing.projections())
    tickets.redis.client.save()
    tickets.db.sql("UPDATE event SET name = 'forgotten' WHERE id < 4")
    tickets.in_step()
    tickets.redis.client.config_set("save", "")
    tickets.redis.stop()
    tickets.redis.start()
    assert not tickets.has("event:1", name="forgotten"), "the state is an older one"
    tickets.until_has("event:1", seconds=10, name="forgotten")
    tickets.until_asleep()
    tickets.in_step()
    assert not worker.said("bringing all documents in step")


def test_redis_restarted_empty(tickets):
    worker = tickets.ready(ticketing.projections())
    tickets.redis.stop()
    tickets.redis.start()
    tickets.until(lambda: tickets.redis.client.exists("event:9", "ticket:27") == 2, 15, "documents are back")
    tickets.until_asleep()
    tickets.in_step()
    worker.says("lost its contents")


def test_another_history_removes_ghosts(tickets):
    """As after the promotion of a standby that had not got the last transactions: Redis has what the database never heard of."""
    tickets.ready(ticketing.projections()).kill()
    ghost = tickets.redis.client.hgetall("event:1")
    tickets.redis.client.hset("event:4711", mapping={**ghost, "id": "4711"})
    tickets.redis.client.hset("event:2", mapping={"name": "never committed", "_d": "0", "_v": 1 << 42})
    tickets.redis.client.hset("pgusher:epoch", "identity", "6543210/00000001")
    tickets.drain()
    tickets.start().says("another history")
    tickets.until_asleep()
    tickets.in_step()
    assert {"event:4711", "event:2"} <= set(tickets.queued())


def test_back_in_time_is_noticed(tickets):
    """A crash may take back transactions that were not flushed: versions in Redis are above what comes now."""
    tickets.ready(ticketing.projections()).kill()
    ahead = tickets.db.value("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 1000")
    tickets.redis.client.hset(RECORD, "ordinal", ahead)
    tickets.redis.client.hset("event:2", mapping={"name": "never committed", "_d": "0", "_v": ahead})
    tickets.start().says("went back in time")
    tickets.until_asleep()
    tickets.in_step()


def test_a_former_primary_is_not_followed(tickets):
    tickets.ready(ticketing.projections()).kill()
    system = tickets.redis.client.hget("pgusher:epoch", "identity").decode().split("/")[0]
    tickets.redis.client.hset("pgusher:epoch", "identity", f"{system}/000000FF")
    tickets.db.sql("UPDATE event SET name = 'only here' WHERE id = 1")
    worker = tickets.start()
    worker.says("former primary", "HDEL pgusher:epoch identity")
    assert not tickets.has("event:1", name="only here")
    tickets.redis.client.hdel("pgusher:epoch", "identity")
    tickets.until_has("event:1", seconds=10, name="only here")
    tickets.until_asleep()
    tickets.in_step()


def test_a_worker_on_a_former_primary_stops_writing(tickets):
    """Another worker, on the new primary, has raised the epoch."""
    worker = tickets.ready(ticketing.projections())
    system = tickets.redis.client.hget("pgusher:epoch", "identity").decode().split("/")[0]
    tickets.redis.client.hset("pgusher:epoch", mapping={"identity": f"{system}/000000FF", "epoch": 7})
    tickets.redis.client.hset(RECORD, "epoch", 7)
    worker.says("former primary")
    tickets.db.sql("UPDATE event SET name = 'only here' WHERE id = 1")
    worker.says("former primary", "HDEL")
    assert not tickets.has("event:1", name="only here")


def test_changelog_cut_while_nobody_read(tickets):
    """The cursor is from before the cut: everything is looked at again, and what was deleted goes."""
    tickets.use(ticketing.projections(), max_lag={"rows": 50})
    tickets.install()
    tickets.once()
    tickets.db.sql("DELETE FROM event WHERE id = 1")
    for number in range(30):
        tickets.db.sql("UPDATE event SET name = %s", f"name {number}")
    assert tickets.changes() <= 51
    worker = tickets.start()
    worker.says("no longer goes back")
    tickets.until_asleep()
    assert not tickets.redis.client.exists("event:1")
    tickets.in_step()


def test_without_notifications_changes_are_polled(tickets):
    """As behind a transaction pooler."""
    host, port = (tickets.db.cluster.folder, 5432)
    relay = Relay(f"{host}/.s.PGSQL.{port}")
    try:
        relay.deafen()
        postgres = f"{relay.conninfo} dbname={tickets.db.name} user=postgres"
        tickets.use(ticketing.projections(), postgres=postgres)
        tickets.install()
        tickets.start().says("NOTIFY does not reach", "polling")
        tickets.until(lambda: tickets.redis.client.exists("event:9", "ticket:27") == 2, 10, "documents")
        for number in range(20):
            tickets.db.sql("UPDATE event SET name = %s WHERE id = 1", f"name {number}")
            tickets.until_has("event:1", seconds=1, name=f"name {number}")
        tickets.in_step()
        assert not tickets.asleep()
        assert "polling" in run_program("pgusher", "-c", tickets.path, "status").out
        tickets.redis.client.delete("event:2")
        tickets.pgusher("backfill", "event", "--wait").must(0, "event: 9 documents, done")
        assert tickets.redis.client.exists("event:2")
    finally:
        tickets.stop()
        relay.stop()


def test_redis_wait_holds_the_cursor_back(tickets):
    """There is no replica: what is written is written, but the cursor does not move."""
    tickets.use(ticketing.projections(), redis_wait={"replicas": 1, "timeout": "50 ms"})
    tickets.install()
    worker = tickets.start()
    tickets.until(lambda: tickets.redis.client.exists("event:9", "ticket:27") == 2, 10, "documents")
    before = tickets.cursor()
    tickets.db.sql("UPDATE event SET name = 'written' WHERE id = 1")
    tickets.until_has("event:1", name="written")
    worker.says("redis_wait", "fewer than 1 replicas")
    assert not tickets.caught_up(), before
    assert run_program("pgusher", "-c", tickets.path, "status").code == 0
