"""The library in hosts that have signals, a locale and habits of their own, and at servers that never come to an end."""
import locale
import multiprocessing
import os
import shutil
import signal
import subprocess
import threading

import pytest

from harness import queue_library as lib
from harness.hostile_redis import HostileRedis, answering, pouring
from harness.queue import QUEUE, Native
from harness.waiting import stays, until

LOCALE = "xx_XX.UTF-8"


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


# ---- odd outcomes ----

def pushing_oddly(connection):
    """A queue that is in order, but for what it says of a pushed item."""
    while (asked := connection.recv(65536)):
        if b"INFO" in asked:
            connection.sendall(b"$0\r\n\r\n")
        elif asked.endswith(b"\r\n$1\r\na\r\n"):
            connection.sendall(b"*1\r\n:99\r\n")
        else:
            connection.sendall(b"*14\r\n" + b":0\r\n" * 10 + b"*0\r\n*0\r\n" + b":0\r\n" * 2)


def test_an_outcome_that_is_none(library, server):
    handle = lib.Handle(library, server(pushing_oddly), connect=False)
    assert handle.push("a") == -1 and handle.status() == lib.REFUSED, handle.error()
    handle.close()


@pytest.mark.parametrize("said", ["MOVED 1 nowhere", "MOVED 1 127.0.0.1:", "MOVED 16384 127.0.0.1:1", "MOVED "])
def test_moved_to_where_nobody_can_go(library, server, said):
    """It is said at once, and not asked again and again."""
    connections = []

    def say(connection):
        connections.append(connection)
        answering(f"-{said}\r\n".encode())(connection)
    handle = lib.Handle(library, server(say), connect=False)
    assert handle.push("a") == -1 and handle.status() == lib.LOST and said.strip() in handle.error().decode(), handle.error()
    assert len(connections) == 1
    handle.close()


def naming(url):
    """A sentinel that knows of this primary."""
    port = url.rpartition(":")[2].encode()
    return answering(b"*2\r\n$12\r\nconfig-epoch\r\n$1\r\n1\r\n*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%s\r\n" % (len(port), port))


def closing(connection):
    connection.recv(65536)
    connection.close()


@pytest.mark.parametrize("names", [True, False], ids=["its primary closes", "it closes itself"])
def test_a_sentinel_that_leads_nowhere(library, server, names):
    """Nothing of the caller's was sent: there is nothing that may have happened."""
    named = naming(server(closing)) if names else closing
    handle = lib.Handle(library, server(named).replace("redis:", "redis+sentinel:") + "/m", connect=False)
    assert handle.push("a") == -1 and handle.status() == lib.AGAIN, handle.error()
    handle.close()


# ---- names ----

@pytest.mark.parametrize("name", [" host", "\0host", "ho\0st", ""])
def test_a_name_that_could_not_be_told_from_another(queue, name):
    """Nothing is given to such a consumer: nobody would know what it holds."""
    queue.push("a")
    with pytest.raises(Exception, match="reserve needs a consumer"):
        Native(queue.client, name).reserve()
    assert queue.client.lrange(QUEUE, 0, -1) == [b"a"] and not queue.client.exists(f"{QUEUE}:inflight")


def test_a_name_that_begins_with_a_space(queue, opened):
    handle = opened(consumer=" host")
    queue.push("a")
    assert handle.reserve() == -1 and handle.status() == lib.REFUSED
    assert queue.client.lrange(QUEUE, 0, -1) == [b"a"]


def test_a_name_with_spaces_and_line_breaks(queue, opened):
    handle = opened(consumer="a host\nof ours " + "x" * 100, lease_ms=300)
    queue.push("a")
    batch = handle.reserve()
    batch.free()
    other = opened(lease_ms=300)
    batch = until(lambda: other.reserve(wait_ms=100), 20)
    assert batch.items == [b"a"] and other.ack(batch) == (1, 1, 0, 0)
    batch.free()


# ---- the host ----

def test_a_wait_for_ever(queue, opened):
    """It lasts until something comes, not as long as one blocking move."""
    handle = opened(lease_ms=400)
    got = []
    thread = threading.Thread(target=lambda: got.append(handle.reserve(wait_ms=2**63 - 1)))
    thread.start()
    stays(lambda: not got, 1.5)
    queue.push("a")
    thread.join(60)
    assert got and got[0].items == [b"a"]
    got[0].free()


@pytest.fixture
def decimal_comma(workspace):
    """A folder with a locale that writes 1,5."""
    if not shutil.which("localedef") or not os.path.exists("/usr/share/i18n/locales/de_DE"):
        pytest.skip("no sources of locales here (package locales)")
    folder = os.path.join(workspace, "locales")
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["localedef", "-c", "-i", "de_DE", "-f", "UTF-8", os.path.join(folder, LOCALE)], capture_output=True, check=False)
    return folder


def waits(library, url, folder):
    os.environ["LOCPATH"] = folder
    locale.setlocale(locale.LC_ALL, LOCALE)
    assert locale.localeconv()["decimal_point"] == ","
    handle = lib.Handle(library, url)
    assert handle.reserve() is None and handle.wait_begin(1500) >= 0
    producer = lib.Handle(library, url)
    producer.push("a")
    came = handle.wait_end()
    producer.close()
    handle.close()
    return came == 1


def test_a_host_whose_numbers_have_a_comma(queue, library, decimal_comma):
    """Redis is told of times with a point."""
    in_a_process(waits, library, queue.redis.url, decimal_comma)


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
