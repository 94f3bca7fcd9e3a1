"""What stands in Redis where a version or a tombstone is expected, and is none: a matter of that document only."""
import pytest

from harness import ticketing

SPOILT = [("HSET", "event:1", "_v", "abc"), ("HSET", "event:2", "_v", ""), ("RPUSH", "pgusher:gone:{event:3}", "x"),
          ("SET", "pgusher:gone:{event:4}", "x")]
UNVERSIONED, BURIED = ("event:1", "event:2"), ("event:3", "event:4")
CHANGED = "UPDATE event SET name = 'new'"
PAST = f"{CHANGED}, starts_at = CASE WHEN id < 5 THEN '2001-01-01' ELSE starts_at END"
DELETED = f"DELETE FROM ticket WHERE event_id < 5; DELETE FROM event WHERE id < 5; {CHANGED}"


@pytest.mark.parametrize("change", [CHANGED, PAST, DELETED], ids=["changed", "past", "deleted"])
def test_what_is_no_version_does_not_stop_the_others(tickets, change):
    tickets.ready(ticketing.event_only()).stop()
    redis = tickets.redis.client
    redis.delete(*BURIED)
    for command in SPOILT:
        redis.execute_command(*command)
    tickets.db.sql(change)
    tickets.once()
    if change == DELETED:  # a hash without a version is none of ours
        assert all(tickets.hash(key) for key in UNVERSIONED)
        redis.delete(*UNVERSIONED)
    assert not tickets.differences()


def test_verify_repairs_it(tickets):
    tickets.ready(ticketing.event_only()).stop()
    tickets.redis.client.delete(*BURIED)
    for command in SPOILT:
        tickets.redis.client.execute_command(*command)
    tickets.pgusher("verify", "--repair").must((0, 1))
    tickets.pgusher("verify").must(0)
    assert not tickets.differences()
