"""Standard output that is closed, full, cut off in the middle or taken in small pieces: no success is claimed that nobody could see, and
nothing of it gets where it does not belong."""
import resource
import signal
import subprocess

import pytest

from harness import ticketing
from harness.processes import clean_environment
from harness.programs import SLOWER, path
from harness.queue import QUEUE


def start(argv, seconds=30, redirect="", **more):
    """Runs with the redirections of a shell."""
    if redirect:
        argv = ["/bin/sh", "-c", f'exec "$@" {redirect}', "sh", *argv]
    return subprocess.run(argv, env=clean_environment(), cwd="/", timeout=seconds * SLOWER, **more)


@pytest.fixture
def verbs(tickets):
    tickets.ready(ticketing.projections()).stop()
    pgusher, ours = ([path(name), "-c", tickets.path] for name in ("pgusher", "pgusher-queue"))
    return {"status": [*pgusher, "status", "--json"], "check": [*pgusher, "check"], "explain": [*pgusher, "explain", "event", "1"],
            "install": [*pgusher, "install", "--print"], "peek": [*ours, "peek", QUEUE], "list": [*ours, "list", "--json"],
            "push": [*ours, "push", QUEUE, "a"]}


@pytest.mark.parametrize("redirect", ["2>&-", "<&- >&- 2>&-"])
def test_a_worker_without_standard_files(tickets, redirect):
    """What it writes does not get into the connections, which would have their numbers."""
    tickets.ready(ticketing.projections()).stop()
    for name in ("a", "b"):
        tickets.db.sql("UPDATE event SET name = %s", name)
        done = start([path("pgusherd"), "-c", tickets.path, "--once", "--log-level", "debug"], redirect=redirect)
        assert done.returncode == 0 and tickets.hash("event:1")["name"] == name
    assert not tickets.differences() and "errorstat_ERR" not in tickets.redis.client.info("errorstats")
    assert not [line for line in tickets.db.cluster.complaints(tickets.log_start) if "protocol" in line]


def test_output_that_is_closed_or_full(verbs):
    for name, argv in verbs.items():
        good = start(argv, capture_output=True)
        assert good.returncode in (0, 1) and good.stdout, name
        for redirect in (">&-", ">/dev/full", "<&- >&-"):
            done = start(argv, redirect=redirect, stderr=subprocess.PIPE)
            assert done.returncode != 0 and b"cannot write the output" in done.stderr, (name, redirect, done)
        assert start(argv, redirect="2>&-", stdout=subprocess.PIPE).returncode == good.returncode, name


def test_output_that_is_cut_off(verbs, tmp_path):
    """By a limit on files: as on a disk that gets full."""
    for name, argv in verbs.items():
        length = len(start(argv, capture_output=True).stdout)
        for most in (0, 1, length // 2):
            with open(tmp_path / "out", "wb") as file:
                done = start(argv, stdout=file, stderr=subprocess.PIPE, preexec_fn=lambda: limit(most))
            assert done.returncode != 0 and b"cannot write the output" in done.stderr, (name, most, done)


def limit(most):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
