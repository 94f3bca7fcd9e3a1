"""pgusher status: readable, parsable, and true."""
import json

import pytest

from harness import ticketing


def values(tree, word):
    """All values whose name holds the word, anywhere in the tree."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            if word in name:
                yield value
            yield from values(value, word)
    elif isinstance(tree, list):
        for value in tree:
            yield from values(value, word)


def status(box):
    return json.loads(box.pgusher("status", "--json").must(0).out)


def test_plain(tickets):
    tickets.ready(ticketing.projections())
    text = tickets.pgusher("status").must(0, "default", "asleep, will be woken", "lag", "{search}", "36").text
    assert "\x1b" not in text


def test_plain_without_a_worker(tickets):
    tickets.install()
    tickets.db.sql("UPDATE event SET name = 'x' WHERE id <= 7")
    tickets.pgusher("status").must(0, "default", "7", "no worker")


def test_json_with_a_worker(tickets):
    tickets.ready(ticketing.projections())
    tickets.in_step()
    tree = status(tickets)
    assert "default" in values(tree, "fleet") or "default" in values(tree, "name")
    assert 1 in [value if isinstance(value, int) else len(value) for value in values(tree, "worker")]
    assert 0 in lags(tree)


def lags(tree):
    return [value for word in ("lag", "changes", "behind") for value in values(tree, word)]


def test_json_counts_the_lag(tickets):
    tickets.install()
    tickets.db.sql("UPDATE event SET name = 'x' WHERE id <= 7")
    assert 7 in lags(status(tickets))
    tickets.once()
    assert 0 in lags(status(tickets))


def test_json_counts_the_queue(tickets):
    tickets.ready(ticketing.event_only())
    tickets.drain()
    tickets.db.sql("UPDATE event SET name = 'x' WHERE id <= 5")
    tickets.until_has("event:5", name="x")
    tickets.in_step()
    (queues,) = values(status(tickets), "queues")
    assert "{search}" in json.dumps(queues) and ": 5" in json.dumps(queues)


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_postgres_is_down(tickets, form):
    tickets.use(ticketing.projections(), postgres="host=/nonexistent dbname=x")
    tickets.pgusher("status", *form).must(69, "/nonexistent")


def test_redis_is_down(tickets):
    tickets.install()
    tickets.redis.stop()
    tickets.pgusher("status").must(69, "redis")


def test_not_installed(tickets):
    result = tickets.pgusher("status")
    assert result.code in (1, 78) and "pgusher" in result.text and "install" in result.text


def test_password_is_never_shown(tickets):
    tickets.install()
    tickets.use(ticketing.projections(), postgres=tickets.db.conninfo() + " password=s3cret")
    for form in ([], ["--json"]):
        assert "s3cret" not in tickets.pgusher("status", *form).must(0).text
