"""What pgusherd tells the service manager, and when it gives a sign of life; cdc/worker_notify.h has the rule. The service manager itself
is met in tests/system."""
import json
import signal

import pytest

from harness.service_manager import ServiceManager
from harness.waiting import stays, until


@pytest.fixture
def manager(box):
    manager = ServiceManager(box.folder, watchdog_seconds=0.8)
    yield manager
    manager.close()


@pytest.fixture
def started(tickets, manager):
    """A box with a worker that rests."""
    tickets.install()
    tickets.start(prefix=manager.prefix)
    manager.until_told("READY")
    return tickets


def test_ready_when_the_first_read_stands(tickets, manager):
    tickets.install()
    tickets.once()
    tickets.db.sql("UPDATE event SET name = 'while nobody read'")
    tickets.start(prefix=manager.prefix)
    manager.until_told("READY")
    assert tickets.has("event:9", name="while nobody read")
    manager.until_status("asleep; 16 of 16 partitions", "changes/s", "lag 0.000 s")


def test_not_ready_while_redis_is_away(tickets, manager):
    tickets.install()
    tickets.redis.stop()
    tickets.start(prefix=manager.prefix)
    manager.until_status("waiting, and trying again: Redis at")
    manager.goes_on("EXTEND_TIMEOUT_USEC")
    assert manager.count("READY") == 0
    tickets.redis.start()
    manager.until_told("READY")
    extended = manager.count("EXTEND_TIMEOUT_USEC")
    manager.goes_on("WATCHDOG")
    assert manager.count("EXTEND_TIMEOUT_USEC") == extended


def test_a_further_worker_is_ready_when_it_has_joined(tickets, manager):
    """Although the first one may own everything still."""
    tickets.install()
    tickets.start()
    tickets.until_asleep()
    tickets.start(prefix=manager.prefix)
    manager.until_told("READY")


def test_signs_of_life_at_rest_and_at_work(started, manager):
    manager.goes_on("WATCHDOG")
    for number in range(2):
        started.db.sql("UPDATE event SET name = %s", f"n{number}")
        manager.goes_on("WATCHDOG")
    started.in_step()


def test_no_sign_of_life_when_it_is_stopped(started, manager):
    worker = started.daemons[0]
    manager.goes_on("WATCHDOG")
    worker.process.send_signal(signal.SIGSTOP)
    manager.falls_silent("WATCHDOG", seconds=1)
    worker.process.send_signal(signal.SIGCONT)
    manager.goes_on("WATCHDOG")


def test_no_sign_of_life_without_progress(started, manager):
    """Redis answers nothing for a while: the process lives and its timers run, but nothing is done."""
    started.redis.client.execute_command("CLIENT", "PAUSE", 3000, "ALL")
    started.db.sql("UPDATE event SET name = 'held up'")
    manager.falls_silent("WATCHDOG", seconds=1.5)
    started.until_has("event:1", name="held up", seconds=10)
    manager.goes_on("WATCHDOG")
    assert started.daemons[0].said("connected to PostgreSQL") == 1


def test_a_stopped_postgres_is_waited_for(started, manager):
    """That is known, and said, and no reason to be restarted."""
    cluster = started.db.cluster
    cluster.freeze()
    try:
        manager.until_status("waiting for PostgreSQL, which has not answered for", seconds=40)
        before = manager.count("WATCHDOG")
        stays(lambda: "waiting for PostgreSQL" in manager.status(), 1)
        assert manager.count("WATCHDOG") >= before + 3
    finally:
        cluster.thaw()
    started.db.sql("UPDATE event SET name = 'after'")
    started.until_has("event:1", name="after")
    manager.until_status("partitions")


@pytest.mark.parametrize("good", [True, False], ids=["adopted", "refused"])
def test_reload(started, manager, good):
    changed = dict(started.config, sweep="1 s" if good else "one second")
    started.write(json.dumps(changed))
    started.daemons[0].reload()
    manager.until_told("READY", 2)
    names = [name for name, _ in manager.told if name in ("READY", "RELOADING", "MONOTONIC_USEC")]
    assert names == ["READY", "RELOADING", "MONOTONIC_USEC", "READY"]
    until(lambda: started.daemons[0].said("reload", "adopted" if good else "refused"))


def test_stopping(started, manager):
    started.daemons[0].stop()
    assert manager.count("STOPPING") == 1 and manager.status().startswith("stopping")


def test_nobody_is_told(tickets):
    """Neither a socket that is gone nor none at all disturbs it."""
    tickets.install()
    tickets.start(prefix=["env", "NOTIFY_SOCKET=/nonexistent/notify"])
    tickets.until_asleep()
    tickets.in_step()
