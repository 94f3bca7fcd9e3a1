"""pgusher-queue where its surroundings are odd: names, addresses, descriptors, signals."""
import os
import signal
import subprocess

import pytest

from harness.processes import clean_environment, run
from harness.programs import SLOWER, path
from harness.queue import QUEUE, Native, run_queue
from harness.ports import free_ports
from harness.redis_server import RedisServer
from harness.waiting import until

NAMES = ["plain", "with space", 'quo"te\'s', "new\nline", "ümläut {tag}", "a:meta", "x" * 500, "-n", "$(id)", "back\\slash"]


@pytest.mark.parametrize("name", NAMES, ids=[name[:12] for name in NAMES])
def test_any_name(queue, name):
    """The name is a Redis key: any text will do."""
    def said(verb, *arguments):
        return queue.run(verb, "--json", *arguments[:-1], "--", name, *arguments[-1]).must(0).out

    said("push", ["a", "b"])
    assert queue.client.llen(name) == 2 and f"{name}:meta".encode() in queue.client.keys()
    said("peek", []), said("stats", [])
    assert [entry["queue"] for entry in queue.data("list")] == [name]
    queue.run("list").must(0)
    command = f'printf %s "$QUEUE" >{queue.file("name")}; cat >/dev/null'
    queue.run("consume", "--once", "--exec", command, "--", name).must(0)
    assert queue.read("name") == name and queue.client.llen(name) == 0


def test_another_database(queue):
    queue.where = ["--redis", queue.redis.url + "?db=5"]
    queue.run("push", QUEUE, "a").must(0)
    assert queue.redis.connect(db=5).llen(QUEUE) == 1 and not queue.client.exists(QUEUE)
    consumer = queue.consume(queue.handler())
    other = Native(queue.redis.connect(db=5))
    queue.until(lambda: queue.runs() == [["a"]])
    queue.until_idle()
    other.client.lpush(QUEUE, "b")
    queue.until(lambda: queue.runs() == [["a"], ["b"]])
    consumer.stop()


@pytest.fixture
def by_port(queue, workspace):
    """A Redis on a port with users, and its address up to the credentials."""
    port = free_ports(1)[0]
    server = RedisServer(os.path.join(workspace, "by-port"), "--port", str(port), "--bind", "127.0.0.1")
    try:
        server.start()
        server.client.execute_command("ACL", "SETUSER", "indexer", "on", ">p@ss:w/rd", "~{search}*", "+@all")
        server.client.execute_command("ACL", "SETUSER", "default", "off")
        server.client = server.connect(username="indexer", password="p@ss:w/rd")
        queue.redis, queue.client = server, server.client
        yield f"127.0.0.1:{port}"
    finally:
        server.remove()


def test_user_and_password_in_the_address(queue, by_port):
    queue.where = ["--redis", f"redis://indexer:p%40ss%3Aw%2Frd@{by_port}/0"]
    queue.run("push", QUEUE, "a").must(0)
    queue.once(queue.handler())
    assert queue.runs() == [["a"]]
    queue.run("push", "{other}", "a").must(78)
    for wrong in (f"redis://indexer:wrong-secret@{by_port}", f"redis://nobody:wrong-secret@{by_port}", f"redis://{by_port}"):
        result = run_queue("stats", QUEUE, "--redis", wrong).must(78)
        assert "wrong-secret" not in result.text


def test_no_password_in_messages():
    for verb in (("stats", QUEUE), ("doctor", QUEUE), ("list",)):
        result = run_queue(*verb, "--redis", "redis://user:s3cret@127.0.0.1:1/0").must(69, "127.0.0.1:1")
        assert "s3cret" not in result.text


def test_a_host_that_does_not_exist():
    run_queue("stats", QUEUE, "--redis", "redis://no-such-host.invalid").must((69, 78), "no-such-host.invalid")


def test_times_are_utc_wherever_we_are(mixed):
    def died(zone):
        return run_queue(*mixed.where, "dead", QUEUE, environment=[f"TZ={zone}"]).must(0).out
    assert died("America/New_York") == died("Asia/Tokyo") == died("UTC")


# descriptors and signals that the parent left

def shell(queue, prologue, *arguments):
    """Runs pgusher-queue in place of a shell that prepared something."""
    script = f'{prologue}; exec "$@"'
    return run(["/bin/sh", "-c", script, "sh", path("pgusher-queue"), *queue.where, *arguments], seconds=20 * SLOWER)


@pytest.mark.parametrize("prologue", ["exec <&- >&- 2>&-", "exec <&-", "exec 3>&- 0<&-", "trap '' CHLD",
                                      "exec 3</dev/null 4>/dev/null 9>/dev/null", "trap '' TERM PIPE HUP"])
def test_odd_descriptors_and_signals(queue, prologue):
    queue.push("a", "b", "c")
    body = 'printf "fail\\tb\\tno\\n" >&3 && ls /proc/self/fd | wc -l >' + queue.file("fds")
    done = shell(queue, prologue, "consume", QUEUE, "--once", "--exec", queue.handler(body))
    assert done.returncode == 0, done
    assert queue.runs() == [["a", "b", "c"]]
    queue.settled(acked=2, failed=1)
    assert queue.read("fds").strip() == "5", "0, 1, 2, 3, and the one that ls reads with"


def test_sigterm_works_though_it_was_ignored(queue):
    """A parent that ignores SIGTERM passes that on."""
    done = subprocess.Popen(["/bin/sh", "-c", "trap '' TERM INT; exec \"$@\"", "sh", path("pgusher-queue"), *queue.where,
                             "consume", QUEUE, "--exec", queue.handler()],
                            env=clean_environment(), cwd="/", stderr=subprocess.DEVNULL)
    try:
        queue.until_idle()
        done.terminate()
        assert done.wait(3 * SLOWER) == 0
    finally:
        done.kill()


def test_a_reader_that_goes_away(queue):
    """As `stats --watch | head -n 1`: it ends."""
    reading, writing = os.pipe()
    process = subprocess.Popen([path("pgusher-queue"), *queue.where, "stats", QUEUE, "--json", "--watch", "0.1"],
                               stdout=writing, stderr=subprocess.DEVNULL, env=clean_environment(), cwd="/")
    os.close(writing)
    try:
        assert os.read(reading, 100)
        os.close(reading)
        process.wait(3 * SLOWER)
    finally:
        process.kill()


def test_a_full_disk(queue):
    """What could not be printed is no success."""
    queue.push("a")
    with open("/dev/full", "w") as full:
        done = subprocess.run([path("pgusher-queue"), *queue.where, "peek", QUEUE], stdout=full, stderr=subprocess.PIPE,
                              env=clean_environment(), cwd="/")
    assert done.returncode != 0


def test_a_reader_that_has_enough(queue):
    """Where SIGPIPE is ignored, as systemd has it."""
    queue.push("a")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([path("pgusher-queue"), *queue.where, "peek", QUEUE], stdout=writing, stderr=subprocess.PIPE,
                          env=clean_environment(), cwd="/", restore_signals=False)
    os.close(writing)
    assert done.returncode == 0 and not done.stderr


def test_the_leader_of_a_run_is_killed(queue):
    """By the kernel's memory killer, say: the programs of that run do not go on beside the next one."""
    gate = queue.file("gate")
    consumer = queue.consume(queue.handler(f'echo $$ >>{queue.file("pids")}; until [ -e {gate} ]; do sleep 0.02; done'))
    queue.push("a")
    queue.until(lambda: queue.runs() and queue.read("pids"))
    with open(f"/proc/{consumer.process.pid}/task/{consumer.process.pid}/children") as file:
        os.kill(int(file.read()), signal.SIGKILL)
    queue.until_counted(failed=1)
    command = queue.read("pids").split()[0]
    until(lambda: not os.path.exists(f"/proc/{command}") or "Z" in open(f"/proc/{command}/stat").read().split(")")[1][:3], 1)
    queue.file("gate", "")
    queue.until_counted(acked=1)
    consumer.stop()
    assert queue.runs() == [["a"], ["a"]]


def test_items_from_what_cannot_be_read(queue):
    done = run(["/bin/sh", "-c", f"exec {path('pgusher-queue')} --redis {queue.redis.url} push '{QUEUE}' - </"])
    assert done.returncode not in (0, 1) and b"stdin" in done.stderr, done


def test_once_while_it_is_paused(queue):
    queue.push("a")
    queue.run("pause", QUEUE).must(0)
    queue.run("consume", QUEUE, "--once", "--exec", "cat").must(0, "is paused")
    assert queue.client.llen(QUEUE) == 1


def test_a_lease_that_is_too_short(queue):
    queue.settings(lease="1 ms")
    queue.run("stats", QUEUE).must(78, "lease", "at least")


@pytest.mark.parametrize("every", ["0", "x", "-1", ""])
def test_watched_at_odd_intervals(queue, every):
    queue.run("stats", QUEUE, f"--watch={every}").must(64, "--watch", "seconds")


def test_watched_where_nobody_is(queue):
    queue.where = ["--redis", f"redis://127.0.0.1:{free_ports(1)[0]}"]
    queue.run("stats", QUEUE, "--watch=1").must(69, "refused")


def test_too_few_descriptors(queue):
    """From not enough for a start to plenty: it says what is missing, or works; and no item is lost."""
    items = {f"item:{number}" for number in range(6)}
    queue.push(*items)
    said = set()
    for most in (4, 5, 6, 8, 10, 12, 20):
        command = f"ulimit -n {most}; exec {path('pgusher-queue')} --redis {queue.redis.url} consume '{QUEUE}' --once --exec 'head -n 1 >>{queue.file('out')}; exit 75'"
        done = run(["/usr/bin/timeout", str(2 * SLOWER), "/bin/sh", "-c", command])
        assert done.returncode >= 0 or b"(libev)" in done.stderr, (most, done)
        said |= {word for word in ("cannot start a process", "Too many open files") if word.encode() in done.stderr}
    assert said == {"cannot start a process", "Too many open files"}
    queue.until(lambda: queue.run("recover", QUEUE) and queue.client.llen(QUEUE) == 6, 40)
