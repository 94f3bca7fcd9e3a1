"""libpgusher-queue in a program with many threads, each with a handle of its own: "nothing is global". `make tsan` looks for races, too."""
import os

import pytest

from harness.processes import run
from harness.programs import BUILD, ROOT, SANITIZE, SLOWER, sanitizer_report
from harness.queue import QUEUE

THREADS, ITEMS = 8, 40
PROGRAM = os.path.join(ROOT, "tests", "integration", "data", "threads.c")


@pytest.fixture(scope="module")
def program(workspace):
    program = os.path.join(workspace, "threads")
    built = run(["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-g", "-pthread", *SANITIZE, "-o", program, PROGRAM, f"-I{ROOT}/queue",
                 f"-L{BUILD}", f"-Wl,-rpath,{BUILD}", "-lpgusher-queue"])
    assert built.returncode == 0, built.stderr.decode()
    yield program
    os.remove(program)


def test_each_item_is_done_once(queue, program):
    done = run([program, queue.redis.url, QUEUE, str(THREADS), str(ITEMS)], seconds=60 * SLOWER)
    assert not sanitizer_report(done.stderr.decode()) and done.returncode == 0, done.stderr.decode()
    assert int(done.stdout) == THREADS * ITEMS
    stats = queue.stats()
    assert stats["waiting"] + stats["in_flight"] + stats["delayed"] == 0 and stats["consumers"] == []
