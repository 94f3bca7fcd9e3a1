"""Workers under a real systemd, as the packages set them up."""
import os
import re

import pytest

from harness.waiting import stays, until
from shop import SECRET, WORKER, later_packages

pytestmark = pytest.mark.usefixtures("installed")
RESTART_ALL = re.compile(r"^(for unit in .*?^done)$", re.M | re.S)


@pytest.mark.quick
def test_ready_when_in_step(installed):
    """While Redis is away the start waits, longer than TimeoutStartSec; ready means that what was there is applied."""
    machine = installed.machine
    machine.run("systemctl stop redis-server").must()
    machine.run(f"systemctl start --no-block {WORKER}").must()
    installed.until_status("waiting, and trying again: Redis at")
    stays(lambda: installed.state() == "activating" and installed.restarts() == 0, 3.5)
    installed.rename("before it was ready", 200)
    machine.run("systemctl start redis-server").must()
    machine.run(f"systemctl start {WORKER}").must()  # joins the start that is under way, and waits for it
    assert installed.name(200) == "before it was ready"
    assert "16 of 16 partitions" in installed.status()


@pytest.mark.quick
def test_a_killed_worker_comes_back(shop):
    pid = shop.pid()
    shop.machine.run(f"kill -9 {pid}").must()
    shop.until_restarted(pid)
    shop.follows("after kill -9")
    assert shop.restarts() == 1


@pytest.mark.quick
def test_a_stopped_worker_is_replaced(shop):
    pid = shop.pid()
    shop.machine.run(f"kill -STOP {pid}").must()
    shop.until_restarted(pid)
    assert shop.machine.show(WORKER, "NRestarts") == "1" and "atchdog" in shop.machine.journal(WORKER)
    shop.follows("after kill -STOP")


def test_a_stuck_postgres_is_reported_and_waited_for(shop):
    """For longer than the watchdog would wait."""
    pid = shop.pid()
    shop.machine.run("systemctl kill -s STOP 'postgresql@*-main.service'").must()
    try:
        shop.until_status("waiting for PostgreSQL, which has not answered for", seconds=45)
        stays(lambda: shop.pid() == pid and shop.state() == "active", 10)
        assert "waiting for PostgreSQL" in shop.status()
    finally:
        shop.machine.run("systemctl kill -s CONT 'postgresql@*-main.service'").must()
    shop.follows("after SIGCONT")
    assert shop.restarts() == 0


def test_a_stuck_redis_is_reported_and_waited_for(shop):
    shop.machine.set_unit("pgusherd@1.service", "[Service]\nWatchdogSec=60s\n")  # Redis is given up after ten seconds
    shop.machine.run(f"systemctl restart {WORKER} && systemctl kill -s STOP redis-server").must()
    pid = shop.pid()
    try:
        shop.until_status("waiting, and trying again: Redis at", seconds=45)
        stays(lambda: shop.pid() == pid and shop.state() == "active", 5)
    finally:
        shop.machine.run("systemctl kill -s CONT redis-server && rm -r /etc/systemd/system/pgusherd@1.service.d; systemctl daemon-reload")
    shop.follows("Redis goes on")
    assert shop.restarts() == 0


@pytest.mark.parametrize("sweep, outcome", [("1 s", "the configuration is adopted"), ("soon", "the configuration is refused")])
def test_reload(shop, sweep, outcome):
    pid = shop.pid()
    shop.configure(sweep=sweep)
    shop.machine.run(f"systemctl reload {WORKER}").must()
    until(lambda: outcome in shop.machine.journal(WORKER), 10, outcome)
    shop.until_active()
    assert shop.pid() == pid and shop.restarts() == 0
    shop.follows(f"after a reload with {sweep}")


def test_a_bad_configuration_is_not_tried_for_ever(shop):
    shop.configure(sweep="soon")
    shop.machine.run(f"systemctl restart {WORKER}")
    until(lambda: shop.state() == "failed", 10, "it is given up")
    assert shop.machine.show(WORKER, "ExecMainStatus") == "78" and shop.restarts() == 0
    assert "sweep" in shop.machine.journal(WORKER)
    shop.machine.run(f"systemctl reset-failed {WORKER}").must()


def test_credentials_are_seen_nowhere(shop):
    machine, pid = shop.machine, shop.pid()
    shop.follows("with a password")
    seen = {"arguments": "cat /proc/[0-9]*/cmdline | grep -v redis-cli", "environment": f"cat /proc/{pid}/environ",
            "journal": "journalctl --no-pager", "unit": f"systemctl show {WORKER}; systemctl cat {WORKER}; systemctl status {WORKER}",
            "status": "runuser -u pgusher -- pgusher status --json", "row": "runuser -u postgres -- psql -XAtd box_office -c 'TABLE pgusher.worker'"}
    for where, command in seen.items():
        found = machine.run(command).out
        assert found and SECRET not in found, where
    assert machine.run(f"cat /run/credentials/{WORKER}/redis").must() == SECRET
    assert machine.run(f"cat /run/credentials/{WORKER}/redis", user="nobody").code != 0
    assert machine.run("cat /etc/pgusher/credentials/redis", user="nobody").code != 0
    assert machine.run("cat /etc/pgusher/pgusher.json", user="nobody").code != 0


def test_it_is_locked_in(shop):
    """What its sandbox says holds for its process; even root could not write there."""
    machine, pid = shop.machine, shop.pid()
    inside = f"nsenter -t {pid} -m --"
    for place in "/usr", "/etc", "/var", "/var/lib", "/boot":
        assert "Read-only file system" in machine.run(f"{inside} touch {place}/pgusher-was-here").out, place
    machine.run(f"{inside} touch /var/lib/pgusher/may").must()
    assert machine.run(f"{inside} ls /home /root").out.count("pgusher") == 0
    assert machine.run(f"{inside} ls -d /dev/sda /dev/mem /dev/kmsg").code != 0
    status = machine.run(f"cat /proc/{pid}/status").must()
    for line in (r"CapEff:\s+0+$", r"CapBnd:\s+0+$", r"NoNewPrivs:\s+1$", r"Seccomp:\s+2$"):
        assert re.search(line, status, re.M), line
    uids = re.search(r"^Uid:\s+(\d+)", status, re.M).group(1)
    assert machine.run("id -u pgusher").must() == uids


def test_stopping_drains(shop):
    machine = shop.machine
    shop.traffic("UPDATE event SET name = 'n$i' WHERE id <= 50", 300)
    until(lambda: shop.name().startswith("n"), 10, "traffic")
    machine.run(f"systemctl stop {WORKER}", seconds=5).must()
    assert machine.show(WORKER, "Result") == "success" and machine.show(WORKER, "ExecMainStatus") == "0"
    assert "stopped" in machine.journal(WORKER)
    until(lambda: shop.name().startswith("n"), 10, "the hash stays")
    until(lambda: shop.pgusher_sql("SELECT name FROM event WHERE id = 1") == "n300", 60, "all written")
    machine.run(f"systemctl start {WORKER}").must()
    assert shop.name() == "n300"
    shop.in_step()


def documented_restart():
    with open(os.path.join(os.path.dirname(__file__), "../../docs/operations.md")) as file:
        return RESTART_ALL.search(file.read()).group(1)


def test_a_rolling_restart_loses_nothing(shop):
    """The command is the one of docs/operations.md; there is always somebody at work."""
    machine, units = shop.machine, [f"pgusherd@{number}.service" for number in (1, 2, 3)]
    machine.run(f"systemctl start {' '.join(units)}").must()
    before = [shop.pid(unit) for unit in units]
    shop.traffic("UPDATE event SET name = 'r$i' WHERE id % 7 = $i % 7", 396)
    machine.run("(for i in $(seq 100); do systemctl is-active 'pgusherd@*' | grep -c '^active'; sleep 0.05; done >/tmp/active) &").must()
    machine.run(documented_restart()).must()
    assert all(shop.pid(unit) not in (0, pid) for unit, pid in zip(units, before))
    assert all(int(count) >= 2 for count in machine.run("cat /tmp/active").must().split())
    until(lambda: shop.pgusher_sql("SELECT name FROM event WHERE id = 4") == "r396", 60, "all written")  # by the last one: 396 % 7 is 4
    shop.follows("and goes on")
    shop.in_step()
    assert all(shop.restarts(unit) == 0 for unit in units)


def test_a_reboot_brings_everything_back(shop):
    machine = shop.machine
    machine.run("systemctl enable --now pgusherd@1 pgusherd@2 pgusherd@3").must()
    shop.rename("before the reboot", 77)
    machine.reboot()
    for number in 1, 2, 3:
        shop.until_active(f"pgusherd@{number}.service", seconds=60)
    assert shop.name(77) == "before the reboot"
    shop.follows("after the reboot")
    workers = machine.run("pgusher fleet list", user="pgusher").must()
    assert re.search(r"default\s+\d+\s+3\s", workers), workers
    machine.run("systemctl disable --now pgusherd@1 pgusherd@2 pgusherd@3").must()


def test_the_target_is_all_of_them(shop):
    machine = shop.machine
    machine.run("systemctl enable pgusherd@1 pgusherd@2 && systemctl start pgusher.target").must()
    for unit in "pgusherd@1.service", "pgusherd@2.service":
        shop.until_active(unit)
    machine.run("systemctl stop pgusher.target").must()
    assert shop.state() == shop.state("pgusherd@2.service") == "inactive"
    machine.run("systemctl disable pgusherd@1 pgusherd@2").must()


def test_an_upgrade_restarts_the_workers(shop):
    """One after the other, and the configuration that was edited stays."""
    machine, units = shop.machine, ["pgusherd@1.service", "pgusherd@2.service"]
    machine.run(f"systemctl start {' '.join(units)}").must()
    before = [shop.pid(unit) for unit in units]
    shop.packages = later_packages(shop.machine.root.folder)
    assert "is not ready" not in shop.install().must()
    for unit, pid in zip(units, before):
        assert shop.state(unit) == "active" and shop.pid(unit) != pid
    shop.follows("after the upgrade")
    machine.run("dpkg-query -W -f '${Version}' pgusher | grep -q 9.9").must()


def test_purge_leaves_nothing(shop):
    """Also of what was enabled and is running. The last test: nothing works after it."""
    machine = shop.machine
    machine.run(f"systemctl enable --now {WORKER} 'pgusher-recover@queue.timer' pgusher-verify.timer pgusher.target").must()
    pid = shop.pid()
    machine.run("rm /root/*.deb; rm -r /etc/systemd/system/*.d; DEBIAN_FRONTEND=noninteractive dpkg --purge pgusher pgusher-queue").must()
    assert machine.run(f"kill -0 {pid}").code != 0
    left = machine.run("find / -xdev -name '*pgusher*' -not -path '/proc/*' -not -path '/sys/*'; getent passwd pgusher; getent group pgusher").out
    assert not left.strip(), left
    assert "pgusher" not in machine.run("systemctl list-units --all --type=service,timer,target --plain --no-legend").out
