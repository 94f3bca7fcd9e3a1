"""The ways to name the servers, and several fleets on one changelog."""
import os

import pytest

from harness import ticketing
from harness.ports import free_ports
from harness.redis_server import RedisServer
from harness.waiting import until


def test_redis_database_number(tickets):
    tickets.ready(ticketing.projections(), redis=tickets.redis.url + "?db=3")
    assert tickets.redis.client.dbsize() == 0
    tickets.redis.client = tickets.redis.connect(db=3)
    tickets.in_step()


@pytest.fixture
def tcp_redis(workspace):
    [port] = free_ports(1)
    server = RedisServer(os.path.join(workspace, "tcp"), "--port", str(port), "--bind", "127.0.0.1",
                         "--user", "pusher", "on", ">pass@word", "~*", "&*", "+@all")
    try:
        server.start()
        server.port = port
        yield server
    finally:
        server.remove()


@pytest.mark.parametrize("form", ["redis://127.0.0.1:{port}", "redis://localhost:{port}/2",
                                  "redis://pusher:pass%40word@127.0.0.1:{port}/2"])
def test_redis_over_tcp(tickets, tcp_redis, form):
    original, tickets.redis = tickets.redis, tcp_redis
    worker = tickets.ready(ticketing.projections(), redis=form.format(port=tcp_redis.port))
    tickets.redis.client = tcp_redis.connect(db=2 if form.endswith("/2") else 0)
    tickets.db.sql("UPDATE event SET name = 'x'")
    tickets.until_has("event:9", name="x")
    tickets.in_step()
    worker.stop()
    assert "pass@word" not in worker.log and "pass%40word" not in worker.log
    tickets.redis = original


def test_postgres_as_uri(tickets):
    uri = f"postgresql:///{tickets.db.name}?host={tickets.db.cluster.folder}&user=postgres"
    tickets.ready(ticketing.projections(), postgres=uri)
    tickets.in_step()


def test_first_host_is_down(tickets):
    conninfo = tickets.db.conninfo().replace("host=", "host=/nonexistent,") + " target_session_attrs=read-write"
    tickets.ready(ticketing.projections(), postgres=conninfo)
    tickets.db.sql("UPDATE event SET name = 'x'")
    tickets.until_has("event:9", name="x")
    tickets.in_step()


@pytest.fixture
def second(workspace):
    server = RedisServer(os.path.join(workspace, "second"))
    try:
        server.start()
        yield server
    finally:
        server.remove()


def test_two_fleets(tickets, second):
    """Each has its cursor; one that is down costs the other nothing."""
    first = tickets.redis
    tickets.ready(ticketing.projections())
    tickets.use(ticketing.event_only(), fleet="search", redis=second.url)
    tickets.install()
    tickets.pgusher("backfill").must(0)
    tickets.start()
    tickets.db.sql("UPDATE venue SET name = 'both'")
    for server in (first, second):
        tickets.redis = server
        tickets.until_has("event:9", venue="both")
    until(lambda: tickets.caught_up("search"))
    assert tickets.differences() == []
    tickets.redis = first
    tickets.use(ticketing.projections())
    tickets.in_step()
    tickets.pgusher("status").must(0, "default", "search")
