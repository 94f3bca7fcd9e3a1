"""Programs to which failures are dealt: allocations that fail, reads and writes that are interrupted, cut short or refused.

tests/inject/shim.c, preloaded, counts the calls of one object (the program itself, or a library it uses) and fails the one it is
told to. `make check` tries some of them, `make inject` each (INJECT=whole; or a number: so many of each kind)."""
import os
import shutil
from typing import NamedTuple

import pytest

from .processes import run
from .programs import BUILD, ROOT, SANITIZED, SLOWER, path

SOURCES = os.path.join(ROOT, "tests/inject")
INJECT = os.environ.get("INJECT", "")
WHOLE = bool(INJECT)
ABORTED = -6


class Shot(NamedTuple):
    code: int
    out: str
    err: str
    allocations: int
    transfers: int
    failed: int  # how many calls; None when the program aborted and could not say

    def __str__(self):
        return f"exit {self.code}\n{self.out[-1000:]}{self.err[-2000:]}"


def compile_c(target, *arguments):
    if not shutil.which("cc"):
        pytest.skip("no C compiler is installed")
    if SANITIZED:
        pytest.skip("a sanitizer has its own allocator")
    done = run(["cc", "-D_GNU_SOURCE", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-o", target, *arguments])
    assert done.returncode == 0, done.stderr.decode()
    return target


class Inject:
    def __init__(self, folder):
        self.folder = folder
        self.shim = compile_c(os.path.join(folder, "shim.so"), "-shared", "-fPIC", f"{SOURCES}/shim.c", "-ldl")

    def program(self, name):
        """A program of tests/inject that uses the library and the shim."""
        return compile_c(os.path.join(self.folder, name), f"-I{ROOT}", f"{SOURCES}/{name}.c", f"-L{BUILD}", "-lpgusher-queue",
                         self.shim, f"-Wl,-rpath,{BUILD}")

    def prefix(self, callers, memory=None, io=None):
        """What is put before a command: see the head of shim.c."""
        told = {"INJECT_CALLERS": callers, "INJECT_MEMORY": memory, "INJECT_IO": io, "LD_PRELOAD": self.shim,
                "INJECT_COUNT": os.path.join(self.folder, "count")}
        return ["/usr/bin/env", *(f"{name}={value}" for name, value in told.items() if value)]

    def shoot(self, argv, callers="pgusher", memory=None, io=None, seconds=30, **more):
        count = os.path.join(self.folder, "count")
        with open(count, "w"):
            pass
        done = run([*self.prefix(callers, memory, io), *argv], seconds=seconds * SLOWER, **more)
        with open(count) as file:
            figures = [int(word) for word in (file.read().split() or [0, 0, 0, 0])[:4]]
        aborted = done.returncode == ABORTED
        return Shot(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"),
                    figures[0], figures[2], None if aborted else figures[1] + figures[3])


def command(name, *arguments):
    return [path(name), *arguments]


def some(count, most):
    """Which of `count` calls fail: all, or in `make check` so many of them, evenly spread."""
    most = int(INJECT) if INJECT.isdigit() else count if WHOLE else most
    if count <= most:
        return range(1, count + 1)
    return sorted({1 + step * (count - 1) // (most - 1) for step in range(most)})
