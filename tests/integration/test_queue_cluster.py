"""A queue in a Redis Cluster of three primaries: by way of any node, with documents in other slots than the queue."""
import json
import os
import signal

import pytest

from harness.processes import run
from harness.programs import path
from harness.queue import PARTS, QUEUE, QueueBox, keys_of, run_queue
from harness.redis_cluster import move_slot, running
from harness.waiting import stays, until


@pytest.fixture(scope="module")
def three(workspace):
    with running(os.path.join(workspace, "cluster")) as cluster:
        yield cluster


@pytest.fixture(params=[0, 1, 2, 3], ids=["owner", "other", "third", "any"])
def node(request, three):
    """A node's address, the queue's owner first; at last that of the cluster."""
    return three.url if request.param == 3 else three.urls[(three.slot_owner(QUEUE) + request.param) % 3]


@pytest.fixture
def queue(three, node, workspace):
    """As elsewhere, but by way of this node."""
    for server in three.nodes:
        server.client.flushall()
    folder = os.path.join(workspace, "cluster-queue")
    os.makedirs(folder, exist_ok=True)
    box = QueueBox(folder, three.nodes[three.slot_owner(QUEUE)])
    box.where = ["--redis", node]
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    yield box
    box.stop()


def test_every_verb(queue):
    def said(*argv, code=0):
        return queue.run(*argv).must(code).out

    assert said("push", QUEUE, "a", "b", "a") == "a\tqueued\nb\tqueued\na\tcoalesced\n"
    assert said("peek", QUEUE) == "a\nb\n"
    assert queue.stats()["waiting"] == 2
    assert [entry["queue"] for entry in queue.data("list", "--scan")] == [QUEUE]
    said("pause", QUEUE)
    assert queue.stats()["paused"]
    said("resume", QUEUE)
    queue.once(queue.handler('printf "fail\\tb\\tno\\n" >&3'))
    assert queue.runs() == [["a", "b"]] and list(queue.delayed()) == ["b"]
    assert queue.data("recover", QUEUE) == {"recovered": 0}
    assert queue.data("rm", QUEUE, "b") == {"removed": 1, "absent": []}
    said("push", QUEUE, "two\nlines", "c")
    queue.once(queue.handler())
    assert [entry["item"] for entry in queue.data("dead", QUEUE)] == ["two\nlines"]
    assert queue.data("replay", QUEUE, "--all")["replayed"] == 1
    assert queue.data("purge", QUEUE, "--all", "--yes") == {"purged": 1}
    queue.settled(acked=2, failed=2, died=1)


def test_doctor(queue):
    queue.run("push", QUEUE, "a").must(0)
    entries = json.loads(queue.run("doctor", QUEUE, "--json").must((0, 1)).out)
    checks = {entry["check"]: entry["level"] for entry in entries}
    assert checks["cluster"] == checks["types"] == checks["version"] == "ok"


def test_documents_in_other_slots(queue, three):
    """Each is read where it is, and so is the tombstone of each that is gone."""
    for number in range(30):
        three.client.hset(f"event:{number}", mapping={"_v": number + 1, "n": number})
        three.client.set(f"pgusher:gone:{{gone:{number}}}", number + 100)
    assert len({three.slot_owner(f"event:{number}") for number in range(30)}) == 3
    queue.run("push", QUEUE, *(f"event:{n}" for n in range(30)), *(f"gone:{n}" for n in range(30))).must(0)
    queue.once(f"cat >>{queue.file('docs')}", "--docs")
    docs = [json.loads(line) for line in queue.read("docs").splitlines()]
    assert docs[:30] == [{"key": f"event:{n}", "op": "upsert", "version": n + 1, "doc": {"n": str(n)}} for n in range(30)]
    assert docs[30:] == [{"key": f"gone:{n}", "op": "delete", "version": n + 100} for n in range(30)]
    queue.settled(acked=60)


def test_consume_waits_and_wakes_up(queue):
    consumer = queue.consume(queue.handler(), "--parallel", "2")
    queue.until_idle(2)
    for number in range(5):
        queue.push(f"event:{number}")
        queue.until_counted(acked=number + 1, seconds=3)
    consumer.stop()
    assert queue.stats()["consumers"] == []


@pytest.mark.parametrize("node", [1], indirect=True, ids=["other"])
def test_recovery(queue):
    victim = queue.consume(queue.handler("sleep 60"), "--lease", "1 s")
    queue.push("a")
    queue.until(lambda: queue.runs())
    survivor = queue.consume(queue.handler(name="second.sh"), "--lease", "1 s")
    victim.kill()
    queue.until_counted(acked=1, recovered=1, seconds=4)
    survivor.stop()


def test_the_queue_moves_to_another_node(three, queue, node):
    """Its slot is moved to the next node under a consumer and a producer; nothing is lost and nobody has to be restarted."""
    consumer = queue.consume(queue.handler(), "--parallel", "2", "--batch", "3", "--lease", "2 s")
    owner, slot = three.slot_owner(QUEUE), three.client.keyslot(QUEUE)
    target = (owner + 1) % 3
    queue.run("push", QUEUE, *(f"before:{number}" for number in range(50))).must(0)
    move_slot(three, slot, owner, target)
    three.client.nodes_manager.initialize()
    queue.redis, queue.client = three.nodes[target], three.nodes[target].client
    queue.run("push", QUEUE, *(f"after:{number}" for number in range(50))).must(0)
    items = {f"{when}:{number}" for when in ("before", "after") for number in range(50)}
    queue.until(lambda: set(sum(queue.runs(), [])) == items and not queue.client.hlen(f"{QUEUE}:inflight"), 20)
    consumer.stop()
    assert queue.empty() and queue.stats()["counters"]["died"] == 0


VERBS = [("stats",), ("peek",), ("push", "x"), ("recover",), ("dead",), ("replay", "x"), ("rm", "x"), ("pause",), ("doctor",),
         ("purge", "--all", "--yes"), ("consume", "--exec", "true", "--once")]


@pytest.mark.parametrize("name", ["search", "{}search"], ids=["untagged", "empty tag"])
def test_an_untagged_name_is_refused(three, name):
    """Its keys would lie on different nodes."""
    for node in three.nodes:
        node.client.flushall()
    for verb, *arguments in VERBS:
        result = run_queue("--redis", three.urls[0], verb, name, *arguments)
        assert result.code == (1 if verb == "doctor" else 78), result
        assert name in result.text and "{" in result.text.replace(name, ""), "the message shows how to name it"
        if verb != "doctor":
            assert "hash tag" in result.err or "cluster" in result.err.lower()
    assert [node.client.keys() for node in three.nodes] == [[]] * 3


def test_keys_in_one_slot(three):
    assert len({three.client.cluster_keyslot(key) for key in keys_of()}) == 1
    assert len(keys_of()) == 1 + len(PARTS)


# Scripts through redis-cli, in a cluster: a script that made up a key of its own would be refused.

def cli(three, script, keys, arguments):
    port = three.urls[three.slot_owner(QUEUE)].rsplit(":", 1)[1]
    done = run(["redis-cli", "-p", port, "--json", "--eval", path(f"lua/{script}.lua"), *keys, ",", *arguments])
    assert done.returncode == 0 and not done.stdout.startswith(b"(error)") and not done.stderr, (script, done)
    return json.loads(done.stdout)


def test_scripts_by_hand(three):
    """The protocol as the heads of the scripts describe it, without any program of ours."""
    for server in three.nodes:
        server.client.flushall()
    held, plain = [f"{QUEUE}:processing:me"], [f"{QUEUE}-processing", f"{QUEUE}:seen"]

    def call(script, *arguments, more=()):
        return cli(three, script, [*keys_of(), *more], list(map(str, arguments)))

    assert call("enqueue", "", "", "a", "b", "c", "a") == [0, 0, 0, 1]
    reply = call("reserve", "me", 30000, 2, 0, "", more=held)
    token = reply[0]
    assert reply[6] == ["a", "b"] and reply[1] == 1
    assert call("heartbeat", "me", 30000) == 1
    assert call("ack", "me", token, "a", "z", more=held) == [1, 0, 1]
    assert call("nack", "me", token, "b", -1, "no", more=held) == [2]
    assert call("replay", "b", "z") == [1, 0]
    token = call("reserve", "me", 30000, 1, token, "", more=held)[0]
    reply = call("reserve", "me", 1, 1, token, token, "c", more=held)
    assert reply[6] == ["b"] and reply[8] == [1, 0, 0], "acked and reserved in one"
    assert call("release", "me", reply[0], "b", more=held) == 1
    assert call("recover", "me", 10, "", 0, more=held)[:2] == [1, 0]
    assert call("recover_plain", 1000, 100, more=plain) == 0
    assert call("stats", "me", more=[plain[0], *held])[1] == 1
    assert call("sweep", 0, 1) == ["0", 0]
    assert call("rm", 1, "me", "b", "z", more=[*plain, *held]) == [1, 0]
    assert call("enqueue", "", "", "d") == [0] and call("purge", "all", more=plain) == 1


@pytest.mark.parametrize("node", [0], indirect=True, ids=["owner"])
def test_a_node_with_documents_is_down(three, queue, node):
    """Its documents are not taken for deleted ones, nor charged: they wait until it is back."""
    down = (three.slot_owner(QUEUE) + 1) % 3
    key = next(f"event:{number}" for number in range(1000) if three.slot_owner(f"event:{number}") == down)
    three.nodes[down].client.config_set("appendfsync", "always")  # it is killed, and must still have it
    three.client.hset(key, mapping={"_v": 7, "n": "back"})
    consumer = queue.consume(f"cat >>{queue.file('docs')}", "--docs")
    queue.until_idle()
    three.nodes[down].stop()
    queue.push(key)
    consumer.says("level=warn")
    assert queue.read("docs") == ""
    three.nodes[down].start()
    queue.until(lambda: queue.read("docs"), 30)
    assert json.loads(queue.read("docs")) == {"key": key, "op": "upsert", "version": 7, "doc": {"n": "back"}}
    queue.until_counted(acked=1)
    consumer.stop()
    assert queue.counters("failed", "died") == [0, 0]


@pytest.fixture
def stopped(three):
    """A node without the queue, stopped; the others go on without it."""
    number = (three.slot_owner(QUEUE) + 1) % 3
    for node in three.nodes:
        node.client.config_set("cluster-require-full-coverage", "no")
    three.nodes[number].process.send_signal(signal.SIGSTOP)
    yield number
    three.nodes[number].process.send_signal(signal.SIGCONT)
    until(three.is_well, 20, "the cluster is up")
    for node in three.nodes:
        node.client.config_set("cluster-require-full-coverage", "yes")


@pytest.mark.parametrize("node", [0], indirect=True, ids=["owner"])
def test_a_node_with_documents_hangs(three, queue, stopped):
    """Who waits for its documents keeps nobody from the others, and loses no lease by it."""
    keys = [f"event:{number}" for number in range(100)]
    there = [key for key in keys if three.slot_owner(key) == stopped][:8]
    elsewhere = next(key for key in keys if three.slot_owner(key) != stopped)
    consumer = queue.consume(f"cat >>{queue.file('docs')}", "--docs", "--parallel", "9", "--batch", "1", "--lease", "6 s")
    queue.until_idle(9)
    queue.push(*there)
    consumer.says("level=warn")
    queue.push(elsewhere)
    queue.until(lambda: elsewhere in queue.read("docs"), 15)
    stays(lambda: queue.data("recover", QUEUE) == {"recovered": 0}, 8)
    three.nodes[stopped].process.send_signal(signal.SIGCONT)
    queue.until_counted(acked=9, seconds=30)
    consumer.stop()
    assert queue.counters("failed", "died", "recovered") == [0, 0, 0]
