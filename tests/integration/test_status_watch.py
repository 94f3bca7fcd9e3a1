"""pgusher status --watch: look after look, until it is interrupted, whatever becomes of the servers."""
import json
import os
import signal

import pytest

from harness import ticketing
from harness.programs import sanitizer_report
from harness.processes import end
from harness.queue import Consumer, Terminal
from harness.waiting import until


class Watch(Consumer):
    program = "pgusher"

    def looks(self):
        """What was printed, but not a line that is still being written."""
        lines = self.log.split("\n")[:-1]
        return [json.loads(line) for line in lines if line.startswith("{")]

    def interrupt(self):
        self.ended = True
        assert end(self.process, signal.SIGINT, 5) == 0, self.log
        assert not sanitizer_report(self.log), self.log


class AtTerminal(Terminal):
    program = "pgusher"


@pytest.fixture
def watch(tickets):
    tickets.ready(ticketing.projections())

    def start(*more):
        tickets.daemons.append(Watch(os.path.join(tickets.folder, "watch.log"), "-c", tickets.path, "status", "--watch", *more))
        return tickets.daemons[-1]
    return start


def test_as_json_with_rates(tickets, watch):
    watching = watch("--json")
    until(lambda: len(watching.looks()) >= 1)
    tickets.db.sql("UPDATE event SET name = 'x'")
    until(lambda: any((look["rates"] or {}).get("changes_written") for look in watching.looks()))
    first, *others = watching.looks()
    assert first["rates"] is None
    rates = [look["rates"] for look in others if look["rates"]["changes_written"]]
    assert 4 < rates[0]["changes_written"] < 20 and rates[0]["fleets"][0]["applied"] > 0
    watching.interrupt()


def test_servers_come_and_go(tickets, watch):
    watching = watch("--json")
    until(lambda: watching.looks())
    tickets.redis.save_and_stop()
    until(lambda: watching.looks()[-1]["errors"])
    assert watching.looks()[-1]["fleets"] and watching.said("pgusher:", "redis")
    tickets.redis.start()
    until(lambda: not watching.looks()[-1]["errors"])
    tickets.db.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgusher status'")
    seen = len(watching.looks())
    until(lambda: len(watching.looks()) >= seen + 2 and not watching.looks()[-1]["errors"])
    assert tickets.db.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgusher status'") == 1
    watching.says("answer again")
    watching.interrupt()


def test_plain(watch):
    watching = watch()
    until(lambda: watching.said("fleet default: in step") >= 2 and watching.said("per second"))
    assert "\x1b" not in watching.log
    watching.interrupt()


def test_on_a_terminal(tickets):
    tickets.ready(ticketing.event_only())
    with AtTerminal("-c", tickets.path, "status", "--watch") as terminal:
        terminal.draws(b"in step")
        terminal.draws(b"\x1b[H\x1b[2J")
        terminal.process.send_signal(signal.SIGINT)
        terminal.ends(5).must(0, "per second")


def test_what_cannot_work_ends(tickets):
    tickets.pgusher("status", "--watch").must(78, "install")
