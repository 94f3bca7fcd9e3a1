"""pgusher and pgusherd as a user runs them."""
import os
import signal
import subprocess
from typing import NamedTuple

import pytest

from .processes import clean_environment, end, run, spawn
from .waiting import until

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
BUILD = os.path.abspath(os.environ.get("PGUSHER_BUILD") or os.path.join(ROOT, "build"))
SANITIZE = {"asan": ["-fsanitize=address,undefined"], "tsan": ["-fsanitize=thread"]}.get(os.path.basename(BUILD)[-4:], [])
SANITIZED = bool(SANITIZE)
COUNTED = "coverage" in os.path.basename(BUILD)  # by gcov, whose symbols are in everything
SLOWER = 4 if SANITIZED or COUNTED else 1  # what a limit on time is multiplied by
_REPORTS = ("AddressSanitizer", "LeakSanitizer", "ThreadSanitizer", "runtime error:")


def path(name):
    return os.path.join(BUILD, name)


def sanitizer_report(text):
    return any(word in text for word in _REPORTS)


class Result(NamedTuple):
    argv: list
    code: int
    out: str
    err: str

    @property
    def text(self):
        return self.out + self.err

    def __str__(self):
        return f"$ {' '.join(self.argv)}\n{self.text}exit {self.code}\n"

    def must(self, code, *words):
        """The exit code (or one of several), and words that the messages must hold, whatever their order and punctuation."""
        codes = code if isinstance(code, tuple) else (code,)
        missing = [word for word in words if word.lower() not in self.text.lower()]
        assert self.code in codes and not missing, f"expected exit {code} and {missing or words} in:\n{self}"
        return self


def run_program(name, *arguments, seconds=30):
    done = run([path(name), *arguments], seconds=seconds * SLOWER)
    result = Result([name, *arguments], done.returncode, done.stdout.decode(), done.stderr.decode())
    assert not sanitizer_report(result.err), result
    assert result.code >= 0, f"died by signal {-result.code}:\n{result}"
    return result


def run_on_terminal(name, *arguments, seconds=60):
    """Runs with a pseudo-terminal as stdout and stderr; what it drew, raw, is in .out."""
    try:
        master, slave = os.openpty()
    except OSError as error:
        pytest.skip(f"no pseudo-terminal can be had here: {error}")
    process = subprocess.Popen([path(name), *arguments], stdin=slave, stdout=slave, stderr=slave,
                               env=clean_environment(), cwd="/", start_new_session=True)
    os.close(slave)
    try:
        drawn = b"".join(iter(lambda: _read_terminal(master), b""))
        code = process.wait(seconds)
    finally:
        os.close(master)
        process.kill()
    return Result([name, *arguments], code, drawn.decode(), "")


def _read_terminal(descriptor):
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux says EIO where others say end of file
        return b""


class Daemon:
    """A running pgusherd; its log is kept in a file until the test has ended."""

    def __init__(self, log_path, *arguments, prefix=()):
        self.log_path = log_path
        self.argv = [*prefix, path("pgusherd"), *arguments]
        self.ended = False  # by the test, or as it expected
        with open(log_path, "wb") as log:
            self.process = spawn(self.argv, log)

    @property
    def log(self):
        """Empty once the test's folder is gone."""
        try:
            with open(self.log_path, errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def alive(self):
        return self.process.poll() is None

    def died(self):
        return not self.alive() and not self.ended

    def says(self, *words, seconds=20):
        """Waits until one line of the log holds all the words."""
        until(lambda: self.said(*words), seconds * SLOWER, lambda: f"log line with {words} in:\n{self.log}")

    def said(self, *words):
        """How many lines hold all the words."""
        lines = self.log.lower().splitlines()
        return sum(all(word.lower() in line for word in words) for line in lines)

    def stop(self, seconds=10):
        """SIGTERM; the exit code must be 0 and the sanitizers content."""
        if not self.alive():
            pytest.fail(f"pgusherd had ended by itself with {self.process.returncode}:\n{self.log}")
        self.ended = True
        code = end(self.process, signal.SIGTERM, seconds * SLOWER)
        assert code == 0, f"pgusherd exited with {code}:\n{self.log}"
        self._check_log()

    def exits(self, code, seconds=10):
        """Waits for it to end by itself."""
        self.ended = True
        try:
            ended = self.process.wait(seconds * SLOWER)
        except subprocess.TimeoutExpired:
            pytest.fail(f"pgusherd has not ended within {seconds} s:\n{self.log}")
        assert ended == code, f"pgusherd exited with {ended}, not {code}:\n{self.log}"
        self._check_log()

    def _check_log(self):
        assert not sanitizer_report(self.log), self.log

    def kill(self):
        self.ended = True
        end(self.process, signal.SIGKILL)

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def peak_kb(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))
