"""A minute of the soak, with a seed of its own each time; and that it leaves nothing behind when it is ended."""
import os
import shutil
import signal
import sys
import tempfile

import paths

import pytest

from harness.processes import end, spawn
from harness.programs import BUILD, SLOWER
from harness.waiting import until


IN_A_FORK = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
import soak
forked = []
os.register_at_fork(after_in_parent=lambda: (forked.append(1), len(forked) == 9 and os.kill(os.getpid(), signal.SIGTERM)))
soak.main("60", "2")
"""


class Run:
    """soak.py in a folder of its own for all that it leaves."""

    def __init__(self, *arguments, program=(os.path.join(paths.HERE, "soak.py"),)):
        self.folder = tempfile.mkdtemp(prefix="pgk-")
        os.chmod(self.folder, 0o755)
        self.output = tempfile.TemporaryFile()
        self.process = spawn(["/usr/bin/env", f"PGUSHER_BUILD={BUILD}", f"TMPDIR={self.folder}", "EVENTS=300", "RATE=150", sys.executable,
                              "-B", *program, *arguments], self.output, on_death=signal.SIGTERM)

    def text(self):
        self.output.seek(0)
        return self.output.read().decode()

    def left(self):
        """Processes that have to do with it, and files."""
        found = os.listdir(self.folder)
        for pid in filter(str.isdigit, os.listdir("/proc")):
            found += [pid] if pid != str(os.getpid()) and self.has_open_files(pid) else []
        return found

    def is_ended(self):
        """By a signal; nothing is left of it."""
        until(lambda: self.process.poll() is not None, 120 * SLOWER, self.text)
        assert self.process.returncode == 130, self.text()
        until(lambda: not self.left(), 30, lambda: f"nothing is left: {self.left()}")

    def has_open_files(self, pid):
        try:
            return any(os.readlink(f"/proc/{pid}/fd/{one}").startswith(self.folder) for one in os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            return False  # it has just ended


@pytest.fixture
def soak():
    runs = []

    def start(*arguments, **how):
        runs.append(Run(*arguments, **how))
        return runs[-1]
    yield start
    for run in runs:
        if run.process.poll() is None:
            end(run.process, signal.SIGTERM, 60)
        shutil.rmtree(run.folder)


def test_a_minute(soak):
    run = soak("60")
    code = run.process.wait(900 * SLOWER)
    print(run.text())
    assert code == 0 and "all was well" in run.text()
    assert not run.left()


def test_ended_in_the_middle(soak):
    run = soak("60", "2")
    until(lambda: len(run.left()) > 15 or run.process.poll() is not None, 120 * SLOWER, "servers and programs run")
    run.process.send_signal(signal.SIGTERM)
    run.is_ended()


def test_ended_while_it_forks(soak):
    soak(program=("-c", IN_A_FORK, paths.HERE)).is_ended()
