"""The library in hosts that have signals, a locale and habits of their own, and at servers that never come to an end."""
import multiprocessing
import os
import signal
import threading

import pytest

from harness import queue_library as lib
from harness.hostile_redis import HostileRedis, answering, pouring
from harness.queue import QUEUE


@pytest.fixture
def server():
    """server(say) starts a hostile one and gives its address."""
    started = []

    def start(say):
        started.append(HostileRedis(say))
        return f"redis://127.0.0.1:{started[-1].port}"
    yield start
    for one in started:
        one.close()


def in_a_process(check, *arguments):
    """check is true there, and it ends by itself."""
    process = multiprocessing.get_context("fork").Process(target=lambda: os._exit(not check(*arguments)))
    process.start()
    process.join(90)
    ended, code = not process.is_alive(), process.exitcode
    process.kill()
    process.join()
    assert ended and code == 0, code


# ---- no end ----

def dripping(connection):
    """A digit now and then, of a number that never ends."""
    connection.recv(65536)
    connection.sendall(b":")
    while True:
        connection.sendall(b"1")
        threading.Event().wait(0.05)


def gives_up(library, url):
    handle = lib.Handle(library, url, connect=False, timeout_ms=200)
    return handle.stats() == -1 and handle.status() == lib.LOST and "lost" in handle.error().decode()


@pytest.mark.parametrize("say", [dripping, pouring(b"+", b"x" * 4096), pouring(b"*16777216\r\n", b":1\r\n"),
                                 answering(b"*2147483647\r\n")], ids=["bytes that drip", "one text", "many elements", "an array of everything"])
def test_an_answer_without_an_end(library, server, say):
    in_a_process(gives_up, library, server(say))


def gives_up_among_signals(library, url):
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.025, 0.025)
    return gives_up(library, url)


def test_signals_while_redis_is_silent(library, server):
    """Each would make the kernel's timeout begin anew."""
    in_a_process(gives_up_among_signals, library, server(lambda connection: connection.recv(65536) and connection.recv(1)))


# ---- the host ----

def test_an_ack_that_a_failover_forgot(queue, opened):
    """What was acked comes back to a handle once it holds nothing; as long as it holds another batch, it does not."""
    handle = opened()
    queue.push("a", "b", "c")
    first, second = handle.reserve(1), handle.reserve(1)
    keys = [f"{QUEUE}:inflight", f"{QUEUE}:processing:{handle.consumer().decode()}"]
    forgotten = {key: queue.client.dump(key) for key in keys}
    assert handle.ack(first) == (1, 1, 0, 0)
    for key, value in forgotten.items():
        queue.client.restore(key, 0, value, replace=True)
    third = handle.reserve(1)
    assert third.items == [b"c"] and handle.ack(third) == (1, 1, 0, 0)
    assert handle.reserve() is None
    assert handle.ack(second) == (1, 1, 0, 0)
    again = handle.reserve()
    assert again.items == [b"a"] and handle.ack(again) == (1, 1, 0, 0)
    for batch in (first, second, third, again):
        batch.free()
