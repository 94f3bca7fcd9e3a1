"""The primary that Sentinel names: found, followed, and nobody else is written to."""
import os
import signal

import pytest
import redis

from harness import ticketing
from harness.documented import acl_rules
from harness.redis_sentinel import NAME, is_replica, running
from harness.traffic import Traffic
from harness.waiting import stays, until


@pytest.fixture
def locked(workspace):
    """The same with passwords, one for the data and one for the sentinels."""
    with running(os.path.join(workspace, "locked"), "d@ta", "sent&nel") as locked:
        yield locked


@pytest.fixture
def market(tickets, watched):
    tickets.redis = watched
    tickets.db.sql("CALL grow(10, 2000)")
    return tickets


def changed(box, name, seconds=20):
    """A change arrives."""
    box.db.sql("UPDATE event SET name = %s WHERE id = 1", name)
    box.until_has("event:1", seconds, name=name)


def test_a_failover_under_traffic(market, watched):
    """kill -9; the old primary comes back empty, and believes for a while that it is the primary still."""
    market.ready(ticketing.projections())
    old = watched.primary()
    with Traffic(market.db, 6000) as traffic:
        until(lambda: traffic.part(0.2), 60)
        old.stop()
        watched.until_failed_over(old)
        old.start()
        market.start()
        until(lambda: is_replica_and_was_never_written(old), 60)
    market.in_step(60)


def is_replica_and_was_never_written(server):
    try:
        with server.client.pipeline() as pipe:
            role, keys = pipe.role().dbsize().execute()
    except (redis.ConnectionError, redis.BusyLoadingError):
        return False  # cut off when it became a replica
    assert role[0] == b"slave" or keys == 0, server.client.keys()[:10]
    return role[0] == b"slave"


def test_the_primary_is_stopped_and_continues(market, watched):
    """Nothing of it closes a connection: it is a sentinel that says so."""
    worker = market.ready(ticketing.projections())
    old = watched.primary()
    with Traffic(market.db, 6000) as traffic:
        until(lambda: traffic.part(0.2), 60)
        old.process.send_signal(signal.SIGSTOP)
        watched.until_failed_over(old)
        worker.says("failed over", seconds=3)
        changed(market, "while it is stopped", seconds=6)
        old.process.send_signal(signal.SIGCONT)
    market.in_step(60)
    until(lambda: is_replica(old), 30)


def test_a_failover_at_rest(market, watched):
    worker = market.ready(ticketing.projections())
    old = watched.primary()
    old.process.send_signal(signal.SIGSTOP)
    worker.says("failed over", seconds=20)
    old.process.send_signal(signal.SIGCONT)
    changed(market, "after")
    market.in_step()


def test_there_and_back(market, watched):
    """Twice, the second time to where it was first."""
    market.ready(ticketing.event_only())
    for number in range(2):
        old = watched.primary()
        until(lambda: manual_failover(watched), 30, every=0.2)
        watched.until_failed_over(old)
        changed(market, f"after {number}")
    market.in_step()


def manual_failover(watched):
    try:
        return watched.sentinels[0].client.execute_command("SENTINEL FAILOVER", NAME)
    except redis.ResponseError as error:
        assert "INPROG" in str(error) or "NOGOODSLAVE" in str(error)
        return False


def test_sentinels_come_and_go(tickets, watched):
    """Without them a primary that is known goes on being used; one that has to be looked for is waited for."""
    tickets.redis = watched
    worker = tickets.ready(ticketing.event_only())
    primary = watched.primary()
    client = primary.client
    for sentinel in watched.sentinels:
        sentinel.stop()
    tickets.db.sql("UPDATE event SET name = 'without' WHERE id = 1")
    until(lambda: client.hget("event:1", "name") == b"without", 5)
    client.client_kill_filter(_type="normal", skipme=True)
    worker.says("sentinel at")
    tickets.db.sql("UPDATE event SET name = 'later' WHERE id = 1")
    stays(lambda: client.hget("event:1", "name") == b"without", 1)
    watched.sentinels[2].start()
    until(lambda: client.hget("event:1", "name") == b"later", 20)
    for sentinel in watched.sentinels[:2]:
        sentinel.start()
    tickets.in_step()
    assert worker.alive()


def test_a_sentinel_that_is_stopped_costs_nothing(tickets, watched):
    tickets.redis = watched
    watched.sentinels[0].process.send_signal(signal.SIGSTOP)
    try:
        tickets.use(ticketing.event_only())
        tickets.install()
        tickets.start()
        tickets.until_asleep(4)
    finally:
        watched.sentinels[0].process.send_signal(signal.SIGCONT)
    changed(tickets, "x")


def test_a_sentinel_that_is_behind(tickets, watched):
    """It was away during a failover and names the primary of then, which says so of itself, too."""
    tickets.redis = watched
    tickets.ready(ticketing.event_only()).stop()
    old, behind = watched.primary(), watched.sentinels[0]
    behind.stop()
    old.process.send_signal(signal.SIGSTOP)
    watched.until_failed_over(old)
    for sentinel in watched.sentinels[1:]:
        sentinel.process.send_signal(signal.SIGSTOP)  # nobody corrects the one behind
    try:
        behind.start()
        old.process.send_signal(signal.SIGCONT)
        assert behind.master()["port"] == watched.ports[0] and old.client.role()[0] == b"master"
    finally:
        for sentinel in watched.sentinels[1:]:
            sentinel.process.send_signal(signal.SIGCONT)
    worker = tickets.start()
    tickets.db.sql("UPDATE event SET name = 'x' WHERE id = 1")
    until(lambda: watched.primary().client.hget("event:1", "name") == b"x", 20)
    tickets.in_step()
    assert worker.alive()


def test_the_name_of_the_master_is_wrong(tickets, watched):
    tickets.redis = watched
    tickets.use(ticketing.event_only(), redis=watched.url.replace(NAME, "yourmaster"))
    tickets.install()
    worker = tickets.start()
    worker.exits(78)
    assert worker.said("level=error", "yourmaster", "no master")


@pytest.mark.parametrize("login, options, words", [
    ("", "?sentinel_password=sent%26nel", ["noauth"]),
    (":wrong@", "?sentinel_password=sent%26nel", ["wrongpass"]),
    (":d%40ta@", "", ["sentinel at", "noauth"]),
    (":d%40ta@", "?sentinel_password=wrong", ["sentinel at", "wrongpass"]),
])
def test_passwords(tickets, locked, login, options, words):
    """Each is told to whom it belongs, and none is written down."""
    tickets.redis = locked
    good = locked.url.replace("//", "//:d%40ta@") + "?sentinel_password=sent%26nel"
    tickets.use(ticketing.event_only(), redis=locked.url.replace("//", f"//{login}") + options)
    tickets.install()
    worker = tickets.start()
    worker.exits(78)
    assert worker.said("level=error", *words)
    tickets.use(ticketing.event_only(), redis=good)
    worker = tickets.start()
    tickets.until_asleep()
    changed(tickets, "x")
    worker.stop()
    logs = "".join(daemon.log for daemon in tickets.daemons)
    assert not any(word in logs for word in ("d@ta", "d%40ta", "sent&nel", "sent%26nel"))


def test_documented_privileges_are_enough(tickets, watched):
    tickets.redis = watched
    for server in watched.servers:
        server.client.execute_command(*acl_rules("pgusher"))
    for sentinel in watched.sentinels:
        sentinel.client.execute_command(*acl_rules("pgusher-sentinel"))
    url = watched.url.replace("//", "//pgusher:password@")
    worker = tickets.ready(ticketing.projections(),
                           redis=f"{url}?sentinel_user=pgusher-sentinel&sentinel_password=password")
    changed(tickets, "x")
    old = watched.primary()
    old.process.send_signal(signal.SIGSTOP)
    worker.says("failed over", seconds=20)
    old.process.send_signal(signal.SIGCONT)
    changed(tickets, "y")
    tickets.in_step()
    tickets.pgusher("check").must(0)
    assert "noperm" not in worker.log.lower()


def test_the_tool(tickets, watched):
    """check, backfill and status find their way as well."""
    tickets.redis = watched
    tickets.use(ticketing.projections())
    tickets.install()
    tickets.pgusher("check").must(0)
    tickets.pgusher("backfill").must(0)
    status = tickets.pgusher("status").must(1, "{search}", "no worker", "/mymaster, master").out
    assert status.count(" replica 127.0.0.1:") == 2, status
    assert tickets.differences() == []
