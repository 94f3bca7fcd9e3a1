"""examples/consumer.c, built against the header and the library as a user would."""
import os
import shutil

import pytest

from harness.processes import run, spawn
from harness.programs import BUILD, ROOT, SANITIZE, Daemon
from harness.queue import QUEUE


class Example(Daemon):
    def __init__(self, log_path, *argv):
        self.log_path = log_path
        self.argv = list(argv)
        self.ended = False
        with open(log_path, "wb") as log:
            self.process = spawn(self.argv, log)


@pytest.fixture(scope="module")
def program(workspace):
    if not shutil.which("cc"):
        pytest.skip("no C compiler is installed")
    program = os.path.join(workspace, "consumer")
    done = run(["cc", "-Wall", "-Wextra", "-Werror", *SANITIZE, "-o", program, f"{ROOT}/examples/consumer.c",
                f"-I{ROOT}/queue", f"-L{BUILD}", f"-Wl,-rpath,{BUILD}", "-lpgusher-queue"])
    assert done.returncode == 0, done.stderr.decode()
    yield program
    os.remove(program)


@pytest.fixture
def example(program, queue):
    example = Example(queue.file("log"), program, queue.redis.url, QUEUE)
    yield example
    if example.alive():
        example.kill()


def test_it_acks_what_it_printed_and_refuses_the_rest(example, queue):
    queue.push("event:1", "odd", "event:2")
    queue.until_counted(acked=2, failed=1)
    assert example.log == "would index event:1\nwould index event:2\n"
    assert queue.delayed()["odd"]["reason"] == "no document"
    example.stop()
    stats = queue.stats()
    assert stats["consumers"] == [] and stats["in_flight"] == 0 and stats["waiting"] + stats["delayed"] == 1


def test_it_goes_on_when_redis_is_back(redis_server, example, queue):
    queue.push("event:1")
    queue.until_counted(acked=1)
    redis_server.save_and_stop()
    example.says("consumer:")
    redis_server.start()
    queue.push("event:2")
    queue.until_counted(acked=2)
    example.stop()


def test_it_says_what_it_lacks(program):
    done = run([program, "nowhere", QUEUE])
    assert done.returncode == 1 and b"nowhere" in done.stderr
    assert run([program]).returncode == 1
