"""The units around queues: the recover timer, a consumer by a drop-in, the nightly verify."""
import pytest

from harness.waiting import until

SOON = "[Timer]\nOnActiveSec=\nOnActiveSec=1s\nOnUnitInactiveSec=1s\nAccuracySec=10ms\n"  # the empty one clears both
INSTANCE = r"\x7bsearch\x7d"
HOLDER = """
pgusher-queue consume '{search}' --lease '1 s' --batch 1 --exec 'echo $$ >/tmp/holding; cat >/dev/null; exec sleep 1000' >/dev/null 2>&1 &
"""


def waiting(shop):
    return int(shop.redis("LLEN", "{search}"))


def held(shop):
    return int(shop.machine.run("pgusher-queue stats '{search}' --json | tr ',' '\\n' | sed -n 's/.*\"in_flight\": *//p'").must())


@pytest.fixture
def queue(shop):
    """The queue holds one item."""
    shop.redis("DEL", "{search}")
    shop.machine.run("pgusher-queue purge '{search}' --all --yes").must()
    shop.machine.run("pgusher-queue push '{search}' event:5").must()
    return shop


def test_the_timer_recovers(queue):
    """Nobody is there to take back what a dead consumer held, but the timer."""
    machine = queue.machine
    machine.run(HOLDER).must()
    until(lambda: held(queue) == 1 and not machine.run("cat /tmp/holding").code, 10, "the item is held")
    machine.run("pkill -9 -f 'pgusher-queue consume'; kill -9 $(cat /tmp/holding)")
    timer = f"pgusher-recover@{INSTANCE}.timer"
    machine.set_unit("pgusher-recover@.timer", SOON)
    assert waiting(queue) == 0 and held(queue) == 1
    machine.run(f"systemctl enable --now '{timer}'").must()
    until(lambda: waiting(queue) == 1, 20, lambda: "it waits again: " + machine.run("systemctl status 'pgusher-recover@*'").out)
    assert held(queue) == 0 and "event:5" in machine.run("pgusher-queue peek '{search}'").must()
    machine.run(f"systemctl disable --now '{timer}'").must()
    assert machine.run("systemctl is-failed 'pgusher-recover@*.service'").out.count("failed") == 0


def test_a_consumer_by_a_drop_in(queue):
    """It may write where the drop-in lets it, nowhere else, and ends within its grace."""
    machine, unit = queue.machine, f"pgusher-consume@{INSTANCE}.service"
    machine.root_write("/usr/local/bin/indexer", "#!/bin/sh\ntouch /etc/x 2>/dev/null && exit 1\ncat >>/var/lib/indexer/documents\n", 0o755)
    machine.set_unit("pgusher-consume@.service", '[Service]\nEnvironment=INDEXER=/usr/local/bin/indexer "OPTIONS=--docs --batch 10"\n'
                     "StateDirectory=indexer\n")
    machine.run(f"systemctl start '{unit}'").must()
    until(lambda: '"key":"event:5"' in machine.run("cat /var/lib/indexer/documents").out, 20,
          lambda: "the document arrives: " + machine.journal("pgusher-consume@*")[-1000:])
    queue.rename("for the index", 6)
    until(lambda: "for the index" in machine.run("cat /var/lib/indexer/documents").out, 20, "the next one, too")
    machine.run(f"systemctl stop '{unit}'").must()
    assert machine.show(unit, "Result") == "success"
    assert waiting(queue) == 0 and held(queue) == 0


def test_the_nightly_verify(shop):
    machine = shop.machine
    machine.run("systemctl start pgusher-verify.service").must()
    shop.redis("HSET", "event:9", "name", "changed by hand")
    assert machine.run("systemctl start pgusher-verify.service").code != 0
    assert "changed by hand" in machine.journal("pgusher-verify.service")
    machine.run("pgusher verify --repair && systemctl start pgusher-verify.service", user="pgusher")
    machine.run("systemctl start pgusher-verify.service").must()
    machine.run("systemctl enable --now pgusher-verify.timer && systemctl list-timers | grep pgusher-verify").must()
    machine.run("systemctl disable --now pgusher-verify.timer").must()
