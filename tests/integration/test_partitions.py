"""Several workers of one fleet: each has its fair share of the partitions, whoever comes or goes."""
import os
import signal
import time

import pytest

from harness import ticketing
from harness.fleet import Watch, owners, shares
from harness.programs import SLOWER
from harness.relay import Relay
from harness.traffic import Traffic
from harness.waiting import stays, until


def until_shares(box, *expected, seconds=2):
    box.until(lambda: shares(box.db) == sorted(expected), seconds, lambda: f"shares {expected}: {shares(box.db)}")


@pytest.fixture
def four(market):
    """Four workers that share the partitions, at rest."""
    market.ready(ticketing.projections())
    for _ in range(3):
        market.start()
    until_shares(market, 4, 4, 4, 4, seconds=5)
    market.until_asleep()
    return market


def test_a_lone_worker_has_all(tickets):
    tickets.ready(ticketing.projections())
    assert shares(tickets.db) == [16]


def test_shares_are_fair_whoever_comes_and_goes(tickets):
    tickets.ready(ticketing.projections())
    for expected in ((8, 8), (5, 5, 6), (4, 4, 4, 4), (3, 3, 3, 3, 4)):
        tickets.start()
        until_shares(tickets, *expected, seconds=3)
    tickets.daemons[0].kill()
    until_shares(tickets, 4, 4, 4, 4)
    tickets.daemons[1].stop()
    until_shares(tickets, 5, 5, 6)
    for daemon in tickets.daemons[2:4]:
        daemon.kill()
    until_shares(tickets, 16)
    tickets.db.sql("UPDATE event SET name = 'after'")
    tickets.in_step()


def test_a_lone_worker_that_did_not_hear_of_another(tickets):
    """Its sweep asks something every second, so that it does not look as if it hung, whose session the other would end."""
    relay = Relay(f"{tickets.db.cluster.folder}/.s.PGSQL.5432")
    try:
        postgres = f"{relay.conninfo} dbname={tickets.db.name} user=postgres"
        tickets.ready(ticketing.projections(), sweep="1 s", postgres=postgres)
        tickets.until_asleep()
        relay.deafen()
        tickets.use(ticketing.projections(), sweep="1 s")
        tickets.start()
        until_shares(tickets, 8, 8, seconds=60)
    finally:
        tickets.stop()
        relay.stop()


def test_more_workers_than_partitions(tickets):
    tickets.use(ticketing.projections(), partitions=2)
    tickets.install()
    for _ in range(3):
        tickets.start()
    until_shares(tickets, 1, 1, seconds=5)
    def share(daemon):
        lines = [line for line in daemon.log.splitlines() if "partitions are read here" in line]
        return lines[-1] if lines else ""
    tickets.until(lambda: sorted(share(daemon).split("; ")[-1][:1] for daemon in tickets.daemons) == ["0", "1", "1"], 5,
                  "one has nothing to do")
    for daemon in tickets.daemons:
        if "0 of 2" not in share(daemon):
            daemon.kill()
    until_shares(tickets, 2)
    tickets.db.sql("UPDATE event SET name = 'after'")
    tickets.in_step()


def test_each_partition_wakes_only_its_owner(four):
    """Who sleeps on the other partitions goes on sleeping."""
    stays(four.asleep, 1)
    four.db.sql("UPDATE event SET name = 'one' WHERE id = 1")
    four.until_has("event:1", name="one")
    four.until_asleep()
    four.in_step()


def test_work_is_shared_and_every_change_arrives(four):
    with Watch(four.db) as watch, Traffic(four.db, 3000):
        pass
    four.in_step()
    assert watch.longest_gap < 1 * SLOWER
    four.until(lambda: all(daemon.said("changes applied") for daemon in four.daemons), 15, "all have worked")


def test_a_backlog_of_many_pages_changes_hands(tickets):
    """Pages grow, and the next one is read while one is written: whoever comes or dies in between."""
    tickets.ready(ticketing.projections()).stop()
    tickets.db.sql("INSERT INTO ticket (id, event_id, price) SELECT id, 1 + id % 3, 10 FROM generate_series(1001, 26000) id")
    tickets.db.sql("UPDATE ticket SET price = 11 WHERE id > 1000 AND id % 2 = 0")
    tickets.start()
    tickets.until(lambda: tickets.redis.client.dbsize() > 1200, 5, "the first pages are written")
    tickets.start()
    until_shares(tickets, 8, 8, seconds=5)
    tickets.daemons[1].kill()
    tickets.in_step()


def test_killed_worker_is_replaced_within_a_second(four):
    with Watch(four.db) as watch, Traffic(four.db, 4000) as traffic:
        for number in range(3):
            until(lambda share=(number + 1) / 4: traffic.part(share), 60)
            four.daemons[number].kill()
            until_shares(four, *{0: (5, 5, 6), 1: (8, 8), 2: (16,)}[number])
    four.in_step()
    assert watch.longest_gap < 1 * SLOWER


def test_stopped_worker_loses_its_partitions_and_does_no_harm_when_it_goes_on(four):
    """A zombie: its session is ended by the others; what it had in flight is guarded by the version."""
    zombie = four.daemons[2]
    with Watch(four.db) as watch, Traffic(four.db, 5000) as traffic:
        until(lambda: traffic.part(0.1), 60)
        os.kill(zombie.process.pid, signal.SIGSTOP)
        try:
            until_shares(four, 5, 5, 6, seconds=5)
            four.db.sql("UPDATE event SET name = 'while it was stopped' WHERE id < 10")
            until(lambda: traffic.part(0.9), 60)
        finally:
            os.kill(zombie.process.pid, signal.SIGCONT)
        until_shares(four, 4, 4, 4, 4, seconds=5)
    four.in_step()
    assert watch.longest_gap < 4.5 * SLOWER
    zombie.says("trying again")


def test_sigterm_hands_over_at_once(four):
    with Watch(four.db) as watch, Traffic(four.db, 3000) as traffic:
        for number in range(3):
            until(lambda share=(number + 1) / 4: traffic.part(share), 60)
            four.daemons[number].stop(seconds=2)
            four.start()
    four.in_step()
    assert watch.longest_gap < 1 * SLOWER


def test_sleeping_workers_hand_over_without_a_lost_wake_up(tickets):
    """Changes while partitions come and go, one at a time, so that each one finds everybody asleep."""
    tickets.ready(ticketing.projections())
    for number in range(12):
        if number % 3 == 2:
            tickets.daemons[-1].stop()
        else:
            tickets.start()
        for step in range(8):
            tickets.db.sql("UPDATE event SET name = %s WHERE id = %s", f"{number} {step}", step + 1)
            tickets.until_has(f"event:{step + 1}", seconds=3, name=f"{number} {step}")
            time.sleep(0.02)
    tickets.in_step()


def test_schema_installed_anew_beneath_sleeping_workers(tickets):
    """Old ids of captures and an old cursor mean nothing in the new schema."""
    tickets.ready(ticketing.projections())
    tickets.start()
    until_shares(tickets, 8, 8, seconds=3)
    tickets.pgusher("uninstall").must(0)
    tickets.install()
    tickets.db.sql("UPDATE event SET name = 'after' WHERE id = 1")
    tickets.until_has("event:1", seconds=10, name="after")
    tickets.in_step()


def test_owners_are_other_sessions(four):
    assert len(set(owners(four.db).values())) == 4
