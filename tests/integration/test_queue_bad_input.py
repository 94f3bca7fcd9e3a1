"""Wrong command lines, configurations, addresses, credentials and keys: exit code, and a message with place and mend."""
import json
import os

import pytest

from harness.queue import QUEUE, Native, run_queue
from harness.redis_server import RedisServer

SECRET = "s3cret-passw0rd"
MIB = 1 << 20

# One command line of each verb that reaches Redis.
VERBS = [("list", "--scan"), ("stats", QUEUE), ("peek", QUEUE), ("peek", QUEUE, "--delayed"), ("push", QUEUE, "x"),
         ("recover", QUEUE), ("dead", QUEUE), ("replay", QUEUE, "x"), ("replay", QUEUE, "--all"), ("rm", QUEUE, "x"),
         ("purge", QUEUE, "--dead", "--yes"), ("purge", QUEUE, "--all", "--yes"), ("pause", QUEUE), ("resume", QUEUE)]
NAMES = [" ".join(verb) for verb in VERBS]
CONSUME = ("consume", QUEUE, "--exec", "true", "--once")


# the command line

USAGE = [
    ([], ["verb"]),
    (["lst"], ["lst", "list"]),
    (["consum", QUEUE], ["consum", "consume"]),
    (["xyzzy", QUEUE], ["xyzzy"]),
    (["stats"], ["queue"]),
    (["stats", ""], ["queue"]),
    (["stats", QUEUE, "extra"], ["extra"]),
    (["list", "extra"], ["extra"]),
    (["pause", QUEUE, "extra"], ["extra"]),
    (["stats", QUEUE, "--wacth"], ["--wacth"]),
    (["stats", QUEUE, "--watch", "0"], ['"0"']),
    (["stats", QUEUE, "--watch", "soon"], ["soon"]),
    (["peek", QUEUE, "-n"], ["-n"]),
    (["peek", QUEUE, "-n", "many"], ["many"]),
    (["peek", QUEUE, "-n", "-3"], ["-3"]),
    (["peek", QUEUE, "-n", "99999999999999999999"], ["99999999999999999999"]),
    (["push", QUEUE], ["item"]),
    (["push", QUEUE, "a", ""], ["empty"]),
    (["replay", QUEUE], ["--all"]),
    (["rm", QUEUE], ["item"]),
    (["purge", QUEUE], ["--dead", "--all"]),
    (["push", QUEUE, "a", "--batch", "3"], ["--batch"]),
    (["stats", QUEUE, "--redis"], ["--redis"]),
    (["consume", QUEUE], ["--exec"]),
    (["consume", QUEUE, "--exec", "", "--once"], ["--exec"]),
    (["consume", QUEUE, "--exec", "true", "--batch", "0"], ["--batch", "1", "1000"]),
    (["consume", QUEUE, "--exec", "true", "--batch", "1001"], ["--batch", "1", "1000"]),
    (["consume", QUEUE, "--exec", "true", "--batch", "3x"], ["--batch", "3x"]),
    (["consume", QUEUE, "--exec", "true", "--parallel", "0"], ["--parallel"]),
    (["consume", QUEUE, "--exec", "true", "--linger", "-1"], ["--linger"]),
    (["consume", QUEUE, "--exec", "true", "--lease", "soon"], ["--lease", "soon"]),
    (["consume", QUEUE, "--exec", "true", "--lease", "0 s"], ["--lease"]),
    (["consume", QUEUE, "--exec", "true", "--timeout", "3 parsecs"], ["--timeout", "3 parsecs"]),
    (["consume", QUEUE, "--exec", "true", "--grace", "x"], ["--grace"]),
]


@pytest.mark.parametrize("argv, words", USAGE, ids=[" ".join(argv) or "nothing" for argv, _ in USAGE])
def test_usage(queue, argv, words):
    result = queue.run(*argv).must(64, *words)
    assert result.err.startswith("pgusher-queue: ") and result.out == ""
    assert not queue.client.keys(), "nothing was done"


def test_unknown_verb_suggests_the_nearest(queue):
    assert "stats" in queue.run("stat", QUEUE).must(64).err.split("\n")[0]
    assert "replay" in queue.run("repaly", QUEUE).must(64).err.split("\n")[0]


# items

def test_empty_item_among_others(queue):
    queue.run("push", QUEUE, "-", input=b"a\n\nb\n").must(64, "empty")
    queue.run("push", QUEUE, "-", input=b"\n").must(64, "empty")
    assert queue.waiting() == []


def test_empty_item_far_behind_the_first_call(queue):
    """Nothing is pushed, not even what other calls would have carried."""
    queue.run("push", QUEUE, "-", input=b"".join(b"%d\n" % n for n in range(2500)) + b"\nlast\n").must(64, "empty")
    assert queue.waiting() == []


def test_items_may_hold_any_byte(queue):
    queue.run("push", QUEUE, "two\nlines").must(0)
    queue.run("push", QUEUE, "-", input=b"nul\0nul\n\xff\r\n").must(0)
    assert queue.client.lrange(QUEUE, 0, -1)[::-1] == [b"two\nlines", b"nul\0nul", b"\xff\r"]


def test_one_mebibyte_is_the_most(queue):
    largest = b"x" * MIB
    queue.run("push", QUEUE, "-", input=largest).must(0, "queued")
    assert queue.client.lrange(QUEUE, 0, -1) == [largest]
    result = queue.run("push", QUEUE, "-", input=b"a\n" + largest + b"x\n")
    result.must((1, 64), "1048576")
    assert len(result.err) < 2000, "the message does not hold all of the item"
    assert len(queue.client.lrange(QUEUE, 0, -1)) == 1, "nothing is pushed"


def test_many_large_items(queue):
    items = [b"%d" % n + b"x" * 100_000 for n in range(200)]
    queue.run("push", QUEUE, "-", input=b"\n".join(items)).must(0)
    assert queue.client.lrange(QUEUE, 0, -1)[::-1] == items


# keys of another type

@pytest.mark.parametrize("verb", VERBS[1:] + [CONSUME], ids=NAMES[1:] + ["consume"])
def test_queue_name_occupied(queue, verb):
    queue.client.set(QUEUE, "a string")
    result = queue.run(*verb).must(1, QUEUE, "string")
    assert "pgusher-queue" in result.err
    assert queue.client.get(QUEUE) == b"a string"
    assert queue.client.keys(f"{QUEUE}:*") in ([], [f"{QUEUE}:meta".encode()])


def test_a_part_of_the_queue_occupied(queue):
    queue.client.sadd(f"{QUEUE}:meta", "x")
    queue.run("push", QUEUE, "a").must(1, f"{QUEUE}:meta", "set")
    queue.run(*CONSUME).must(1, f"{QUEUE}:meta")
    assert queue.client.llen(QUEUE) == 0
    queue.run("list").must(0)


def test_one_occupied_name_does_not_spoil_the_list(queue):
    queue.use({QUEUE: {}, "{other}": {}})
    queue.client.set(QUEUE, "a string")
    result = queue.run("list").must((0, 1), "{other}")
    assert QUEUE in result.text


# configuration

def test_configuration_is_missing(queue):
    missing = queue.file("nowhere.json")
    run_queue("stats", QUEUE, "-c", missing).must(78, missing)
    run_queue("stats", QUEUE, environment=[f"PGUSHER_CONFIG={missing}"]).must(78, missing)
    if not os.path.exists("/etc/pgusher/pgusher.json"):
        run_queue("stats", QUEUE).must(78, "/etc/pgusher/pgusher.json")


def test_configuration_from_the_environment(queue):
    queue.use()
    queue.push("a")
    environment = [f"PGUSHER_CONFIG={queue.config_path}"]
    assert run_queue("peek", QUEUE, environment=environment).must(0).out == "a\n"


def test_redis_option_needs_no_file(queue):
    queue.push("a")
    run_queue("peek", QUEUE, "-r", queue.redis.url, environment=["PGUSHER_CONFIG=/nowhere.json"]).must(0, "a")


def test_redis_option_overrides_the_file(queue):
    """The file's queues are in force all the same."""
    queue.write(json.dumps({"redis": "unix:///nowhere.sock", "queues": {QUEUE: {"max_failures": 2}}}))
    queue.run("push", QUEUE, "a", "--redis", queue.redis.url).must(0)
    assert queue.data("stats", QUEUE, "--redis", queue.redis.url)["max_failures"] == 2


BROKEN = [
    ("{ nonsense", ["line 1"]),
    ("[]", []),
    ("", []),
    ({}, ["redis"]),
    ({"redis": 5}, ["redis"]),
    ({"redis": "http://x"}, ["redis", "unix://"]),
    ({"redis": "unix:///x", "queues": []}, ["queues", "object"]),
    ({"redis": "unix:///x", "queues": {QUEUE: {"max_failuers": 2}}}, [f"queues.{QUEUE}", "max_failuers", "max_failures"]),
    ({"redis": "unix:///x", "queues": {QUEUE: {"lease": "soon"}}}, [f"queues.{QUEUE}.lease", "soon"]),
    ({"redis": "unix:///x", "queues": {QUEUE: {"max_crashes": 0}}}, [f"queues.{QUEUE}.max_crashes"]),
    ({"redis": "unix:///x", "queues": {QUEUE: {"coalesce": "no"}}}, [f"queues.{QUEUE}.coalesce"]),
    ({"redis": "unix:///x", "queues": {QUEUE: {"plain_timeout": 5}}}, [f"queues.{QUEUE}.plain_timeout"]),
    ({"redis": {"url": "unix:///x", "password_file": "/nowhere/secret"}}, ["/nowhere/secret"]),
]


@pytest.mark.parametrize("config, words", BROKEN, ids=[json.dumps(config)[:60] for config, _ in BROKEN])
def test_configuration_is_broken(queue, config, words):
    queue.write(config if isinstance(config, str) else json.dumps(config))
    for verb in (("stats", QUEUE), CONSUME):
        result = queue.run(*verb).must(78, queue.config_path, *words)
        assert "pgusher-queue: " in result.err


def test_address_is_no_address():
    for address in ("http://x", "", "redis://host:notaport", "unix://"):
        result = run_queue("stats", QUEUE, "--redis", address)
        assert result.code == 64 and result.err.startswith("pgusher-queue: --redis"), result


# Redis is away, full, or refuses us

@pytest.mark.parametrize("verb", VERBS + [("doctor", QUEUE)], ids=NAMES + ["doctor"])
def test_redis_is_down(queue, verb):
    queue.where = ["--redis", "unix:///nowhere/redis.sock"]
    for words in (verb, (*verb, "--json")):
        result = queue.run(*words).must(69, "/nowhere/redis.sock")
        assert result.err.startswith("pgusher-queue: ")
        assert json.loads(result.out) == {"errors": [result.err.removeprefix("pgusher-queue: ").strip()]} if "--json" in words else not result.out


def test_nobody_listens_on_the_port(queue):
    queue.where = ["--redis", "redis://127.0.0.1:1"]
    queue.run("stats", QUEUE).must(69, "127.0.0.1:1")


@pytest.fixture
def guarded(queue, workspace):
    server = RedisServer(os.path.join(workspace, "guarded"), "--requirepass", SECRET)
    try:
        server.start()
        server.client = server.connect(password=SECRET)
        queue.redis, queue.client = server, server.client
        yield queue
    finally:
        server.remove()


def with_password(queue, password):
    queue.write(json.dumps({"redis": {"url": queue.redis.url, "password_file": queue.file("secret", password, 0o600)}}))


@pytest.mark.parametrize("verb", VERBS + [CONSUME, ("doctor", QUEUE)], ids=NAMES + ["consume", "doctor"])
def test_wrong_password(guarded, verb):
    with_password(guarded, f"wrong-{SECRET}\n")
    result = guarded.run(*verb).must(78)
    assert any(word in result.err.lower() for word in ("password", "wrongpass"))
    assert SECRET not in result.text


def test_no_password(guarded):
    guarded.where = ["--redis", guarded.redis.url]
    guarded.run("push", QUEUE, "a").must(78)
    guarded.run(*CONSUME).must(78)


def test_right_password(guarded):
    with_password(guarded, SECRET + "\n")
    guarded.run("push", QUEUE, "a").must(0)
    guarded.run(*CONSUME).must(0)
    assert guarded.counters("acked") == [1]


@pytest.mark.usefixtures("redis_server")
@pytest.mark.parametrize("rule", ["-eval -evalsha", "~other:*"])
def test_missing_privileges(queue, rule):
    queue.client.execute_command("ACL", "SETUSER", "default", *(["resetkeys"] if "~" in rule else []), *rule.split())
    queue.run("push", QUEUE, "a").must(78)
    queue.run(*CONSUME).must(78)


def test_redis_is_full(queue, redis_server):
    """Producers are refused and told why; all that makes room works."""
    queue.push("a", "b", "c", "d")
    consumer = Native(queue.client)
    consumer.bury(*consumer.reserve(1))
    queue.client.config_set("maxmemory", 1)
    for verb in (("push", QUEUE, "e"), ("replay", QUEUE, "a")):
        result = queue.run(*verb).must(69)
        assert any(word in result.err.lower() for word in ("maxmemory", "full", "memory")), result
    queue.run("rm", QUEUE, "b").must(0)
    queue.run("purge", QUEUE, "--dead", "--yes").must(0)
    queue.once(queue.handler())
    assert queue.runs() == [["c", "d"]]
    assert queue.counters("acked") == [2]
    queue.client.config_set("maxmemory", 0)
    assert queue.run("push", QUEUE, "e").must(0).out == "e\tqueued\n"


def test_parts_that_another_program_deleted(queue):
    """What is left is a queue all the same."""
    queue.push("a")
    queue.client.delete(f"{QUEUE}:meta", f"{QUEUE}:marks")
    queue.run("stats", QUEUE).must(0)
    queue.once(queue.handler())
    assert queue.runs() == [["a"]]


def test_scripts_are_flushed(queue):
    queue.push("a")
    queue.client.script_flush()
    queue.run("push", QUEUE, "b").must(0)
    queue.client.script_flush()
    queue.once(queue.handler())
    assert queue.runs() == [["a", "b"]]
