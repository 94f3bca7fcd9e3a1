"""A hostile Redis, or a hostile user of it, can make pgusher fail, and nothing more."""
import itertools
import subprocess

import pytest

from harness import processes, programs, ticketing
from harness.box import projection
from harness.hostile_redis import HostileRedis, answering, answering_by_chance, pouring
from harness.programs import Daemon, sanitizer_report
from harness.waiting import until

TERMINAL = b"\x1b]0;pwned\x07\xc2\x9b31m"

REPLIES = {
    "no protocol": answering(b"\xff\xfeHTTP/1.1 400\r\n\r\n"), "a status": answering(b"+OK\r\n"), "nil": answering(b"$-1\r\n"),
    "an integer": answering(b":9223372036854775807\r\n"), "no integer": answering(b":nan\r\n"), "nothing": answering(b"*0\r\n"),
    "a nil array": answering(b"*-1\r\n"), "two texts": answering(b"*2\r\n$1\r\nx\r\n$1\r\ny\r\n"),
    "nested": answering(b"*1\r\n" * 5000), "an array of everything": answering(b"*2147483647\r\n"), "a text below nothing": answering(b"$-5\r\n"),
    "more than was asked": answering(b"+OK\r\n" * 50), "messages": answering(b"*3\r\n$7\r\nmessage\r\n$3\r\nfoo\r\n$3\r\nbar\r\n" * 3),
    "short messages": answering(b"+OK\r\n*1\r\n$7\r\nmessage\r\n"), "the end of messages": answering(b"+OK\r\n*3\r\n$11\r\nunsubscribe\r\n$14\r\n+switch-master\r\n$1\r\nx\r\n"),
    "moved for ever": answering(b"-MOVED 1 127.0.0.1:1\r\n"), "escapes": answering(b"-ERR " + TERMINAL + b"A" * 100000 + b"\r\n"),
    "the master": answering(b"*5\r\n$6\r\nmaster\r\n:1\r\n*0\r\n*0\r\n*0\r\n"), "a text without end": pouring(b"+", b"x" * 4096),
}

# A command that reads nothing else takes long to give up, and much memory; with less patience, see test_queue_library_hosts.py.
ENDLESS = {"an array of everything", "a text without end"}
# What each kind of connection is asked with; the others take turns.
OF_EACH_KIND = {"a status", "more than was asked", "messages", "short messages", "the end of messages"}
KINDS = (("redis", ""), ("redis+cluster", ""), ("redis+sentinel", "/m"))


@pytest.fixture
def hostile():
    servers = {name: HostileRedis(say) for name, say in REPLIES.items()}
    yield servers
    for server in servers.values():
        server.close()


def addresses(servers):
    for place, (name, server) in enumerate(servers.items()):
        for form, end in KINDS if name in OF_EACH_KIND else [KINDS[place % len(KINDS)]]:
            yield name, f"{form}://127.0.0.1:{server.port}{end}"


def ended(process):
    """Its exit code, once it has ended, and what it said."""
    try:
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    return process.returncode, out + err


def test_whatever_a_server_answers(box, hostile):
    """hiredis calls what is over, or aborts, at replies that nobody asked for. All at once: who refuses waits for seconds."""
    box.db.sql("CREATE TABLE t (id int PRIMARY KEY)")
    running, daemons = [], []
    for number, (name, address) in enumerate(addresses(hostile)):
        box.path = f"{box.folder}/{number}.json"
        box.use({"t": projection("t", {"t": "id"})}, redis=address)
        if number == 0:
            box.install()
        commands = [("pgusher", "-c", box.path, "status")]
        if name not in ENDLESS:
            commands.append(("pgusher-queue", "--redis", address, "stats", "q"))
        running += [subprocess.Popen([programs.path(command), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                     env=processes.clean_environment()) for command, *arguments in commands]
        daemons.append(Daemon(f"{box.folder}/{number}.log", "-c", box.path))
    try:
        for process in running:
            code, said = ended(process)
            assert code in (0, 1, 69, 78) and not sanitizer_report(said.decode(errors="replace")), (process.args, code, said[-500:])
            assert b"\x1b" not in said and b"\x9b" not in said
        for daemon in daemons:
            until(lambda daemon=daemon: "level=error" in daemon.log or not daemon.alive(), 60, lambda daemon=daemon: daemon.log)
            assert daemon.process.poll() in (None, 0, 78) and "\x1b" not in daemon.log and "\x9b" not in daemon.log, daemon.log
    finally:
        for started in (*running, *(daemon.process for daemon in daemons)):
            started.kill()
            started.wait()


VERBS = [("doctor", "q"), ("doctor", "q", "--fix"), ("list",), ("list", "--scan"), ("stats", "q"), ("peek", "q"), ("dead", "q"), ("push", "q", "item")]


def test_answers_of_any_shape():
    """To each command another."""
    servers = [HostileRedis(answering_by_chance(seed)) for seed in range(12)]
    try:
        running = [subprocess.Popen([programs.path("pgusher-queue"), "--redis", f"redis://127.0.0.1:{server.port}", *verb],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=processes.clean_environment())
                   for server in servers for verb in VERBS]
        for process in running:
            code, said = ended(process)
            assert 0 <= code < 126 and not sanitizer_report(said.decode(errors="replace")), (process.args, code, said[-500:])
    finally:
        for server in servers:
            server.close()


def changing_its_mind():
    """A sentinel that fails at first, then names another master with a newer epoch whenever it is asked."""
    rounds = itertools.count()

    def say(connection):
        number = next(rounds)
        connection.recv(65536)
        if number:
            connection.sendall(b"+PONG\r\n")
            connection.recv(65536)
            epoch, host = str(number).encode(), b"127.0.1.%d" % number
            connection.sendall(b"*2\r\n$12\r\nconfig-epoch\r\n$%d\r\n%s\r\n*2\r\n$%d\r\n%s\r\n$1\r\n1\r\n"
                               % (len(epoch), epoch, len(host), host))
        connection.close()
    return say


def test_a_sentinel_that_names_one_master_after_the_other(box):
    """While another is waited for, each is kept."""
    silent, fickle = HostileRedis(lambda connection: connection.recv(65536) and connection.recv(65536)), HostileRedis(changing_its_mind())
    try:
        box.db.sql("CREATE TABLE t (id int PRIMARY KEY)")
        box.use({"t": projection("t", {"t": "id"})}, redis=f"redis+sentinel://127.0.0.1:{silent.port},127.0.0.1:{fickle.port}/m")
        box.install()
        box.pgusher("status").must((69, 78))
    finally:
        silent.close()
        fickle.close()


# ---- what others write under the names that are ours ----

def test_a_name_of_ours_that_another_program_took_is_named(tickets):
    worker = tickets.ready(ticketing.projections())
    client = tickets.redis.client
    for key, words in (("pgusher:fleet:default", ["WRONGTYPE", "pgusher:fleet:default is another program's"]),
                       ("pgusher:epoch", ["WRONGTYPE", "pgusher:epoch is another program's"]), ("{search}:meta", ["WRONGTYPE {search}:meta"])):
        kept = client.dump(key)
        client.delete(key)
        client.rpush(key, "garbage")
        tickets.db.sql("UPDATE event SET name = name || '.'")
        if key == "pgusher:epoch":
            client.delete("pgusher:fleet:default")  # it is looked at when contents are new
        worker.says(*words)
        client.delete(key)
        client.restore(key, 0, kept)
        tickets.in_step()


def test_numbers_that_are_none(tickets):
    """Lua reads nan as one; nothing is written by it."""
    worker = tickets.ready(ticketing.projections())
    client = tickets.redis.client
    client.hset("pgusher:epoch", "epoch", "nan")
    client.delete("pgusher:fleet:default")
    worker.says("the epoch in pgusher:epoch is no number", "delete that key")
    assert client.hget("pgusher:epoch", "epoch") == b"nan"
    client.delete("pgusher:epoch")
    tickets.until_asleep()
    client.hset("{search}:meta", "seq", "no number")
    tickets.db.sql("UPDATE event SET name = name || '.'")
    worker.says("seq in {search}:meta is no number", "delete that field")
    client.hdel("{search}:meta", "seq")
    tickets.in_step()


def test_versions_that_are_none(tickets):
    """What is no number is no version; a number that is too high holds its document back, and only that, until a repair."""
    tickets.ready(ticketing.projections())
    client = tickets.redis.client
    for place, text in enumerate(("nan", "inf", "0xffffffffffffffff", "-inf", "x" * 100), 1):
        client.hset(f"event:{place}", "_v", text)
        client.delete(f"ticket:{place}")
        client.set(f"pgusher:gone:ticket:{place}", text)
    client.delete("event:6", "ticket:6")
    client.rpush("pgusher:gone:{event:6}", "garbage")
    tickets.db.sql("UPDATE event SET name = name || '!'")
    tickets.until_caught_up()
    assert {key for _, key, error in tickets.quarantined() if "WRONGTYPE" in error} <= {"event:6"}
    assert all(tickets.hash(f"event:{place}")["name"].endswith("!") for place in (1, 4, 5, 7, 8, 9))
    client.delete("pgusher:gone:{event:6}")
    tickets.pgusher("verify", "--repair").must(0)
    tickets.in_step()
