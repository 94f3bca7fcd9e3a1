"""consume: what the command gets on stdin and in its environment, and when it is run."""
import json

import pytest

from harness.programs import SANITIZED, SLOWER, path
from harness.queue import QUEUE, Native
from harness.waiting import stays


# the command's input

def test_items_come_on_stdin_one_a_line_in_order(queue):
    items = [f"event:{n}" for n in range(250)]
    queue.push(*items)
    queue.once(queue.handler())
    assert queue.runs() == [items[:100], items[100:200], items[200:]]
    queue.settled(acked=250)
    assert queue.empty()


@pytest.mark.parametrize("batch, sizes", [("1", [1] * 5), ("2", [2, 2, 1]), ("1000", [5])])
def test_batch(queue, batch, sizes):
    queue.push("a", "b", "c", "d", "e")
    queue.once(queue.handler(), "--batch", batch)
    assert [len(run) for run in queue.runs()] == sizes and sum(queue.runs(), []) == ["a", "b", "c", "d", "e"]


def test_input_is_exact(queue):
    """Every line ends in a newline, and odd bytes are as they were."""
    items = [b"a b", b"\xff\xfe", b"tab\there", b"quote\"'$(id)", b"\\n", b" ", b"end\r"]
    queue.push(*items)
    queue.once(f"cat >{queue.file('in')}")
    with open(queue.file("in"), "rb") as file:
        assert file.read() == b"".join(item + b"\n" for item in items)
    queue.settled(acked=len(items))


def test_command_is_a_shell_command(queue):
    queue.push("a", "b")
    queue.once(f"grep -c . | sed 's/^/items: /' >{queue.file('in')}; exit 0")
    assert queue.read("in") == "items: 2\n"


def test_output_is_inherited(queue):
    queue.push("a")
    result = queue.once("cat; echo to stderr >&2")
    assert "a\n" in result.out and "to stderr" in result.err


def test_environment(queue):
    queue.push("a", "b", "c")
    consumer = Native(queue.client)
    consumer.reserve(1)
    consumer.nack("a", delay_ms=0)
    queue.once(f'cat >/dev/null; echo "$QUEUE $TOKEN $ATTEMPT" >>{queue.file("env")}', "--batch", "2")
    first, second = (line.split() for line in queue.read("env").splitlines())
    assert first[0] == second[0] == QUEUE
    assert int(consumer.token) < int(first[1]) < int(second[1]) < 2 ** 53
    assert (first[2], second[2]) == ("1", "2"), "the largest attempt of the run"


def test_one_item_of_a_mebibyte(queue):
    queue.push(b"x" * (1 << 20))
    queue.once(f"wc -c >{queue.file('in')}")
    assert int(queue.read("in")) == (1 << 20) + 1
    queue.settled(acked=1)


def test_an_item_that_changes_meanwhile_goes_round_once_more(queue):
    queue.push("a", "b")
    done = queue.file("done")
    queue.once(queue.handler(f'[ -e {done} ] || {path("pgusher-queue")} -r {queue.redis.url} push "$QUEUE" a >{done}'))
    assert queue.runs() == [["a", "b"], ["a"]]
    queue.settled(acked=3, requeued=1)
    assert queue.empty()


# --docs

def documents(queue, *options):
    queue.once(f"cat >>{queue.file('docs')}", "--docs", *options)
    return [json.loads(line) for line in queue.read("docs").splitlines()]


def test_docs(queue):
    queue.client.hset("event:1", mapping={"_v": 17, "_d": "digest", "name": "Finals\nday", "open": "3", "": "empty name"})
    queue.client.hset("event:2", mapping={"name": b"caf\xe9", "big": "x" * 200_000})
    queue.client.hset("event:{3}", mapping={"_v": 2 ** 53 - 1})
    queue.push("event:1", "event:2", "event:{3}")
    assert documents(queue) == [
        {"key": "event:1", "op": "upsert", "version": 17, "doc": {"name": "Finals\nday", "open": "3", "": "empty name"}},
        {"key": "event:2", "op": "upsert", "version": None, "doc": {"name": "caf\ufffd", "big": "x" * 200_000}},
        {"key": "event:{3}", "op": "upsert", "version": 2 ** 53 - 1, "doc": {}},
    ]
    queue.settled(acked=3)


def test_docs_that_are_gone(queue):
    queue.client.set("pgusher:gone:{event:1}", 99)
    queue.client.set("pgusher:gone:event:{2}", 98)
    queue.client.set("pgusher:gone:{event:{2}}", 1)
    queue.push("event:1", "event:{2}", "event:3")
    assert documents(queue) == [{"key": "event:1", "op": "delete", "version": 99},
                                {"key": "event:{2}", "op": "delete", "version": 98},
                                {"key": "event:3", "op": "delete", "version": None}]
    queue.settled(acked=3)


def test_docs_may_have_any_name(queue):
    """What cannot pass as a line can pass as JSON."""
    names = ["two\nlines", "nul\0nul", 'quote"\\']
    for name in names:
        queue.client.hset(name, "n", "1")
    queue.push(*names)
    assert [entry["key"] for entry in documents(queue)] == names
    queue.settled(acked=3)


def test_a_key_that_is_no_hash(queue):
    queue.client.set("song:1", "text")
    queue.client.hset("event:1", "n", "1")
    queue.push("song:1", "event:1")
    assert [entry["key"] for entry in documents(queue)] == ["event:1"]
    queue.settled(acked=1, failed=1)
    assert "string" in queue.delayed()["song:1"]["reason"] or "hash" in queue.delayed()["song:1"]["reason"]


def test_docs_are_read_afresh_at_each_attempt(queue):
    queue.client.hset("event:1", "n", "old")
    queue.push("event:1")
    consumer = queue.consume(f"cat >>{queue.file('docs')}; exit 75", "--docs")
    queue.until(lambda: queue.read("docs").count("\n") == 1)
    queue.client.hset("event:1", "n", "new")
    queue.until(lambda: queue.read("docs").count("\n") == 2)
    consumer.stop()
    assert [json.loads(line)["doc"]["n"] for line in queue.read("docs").splitlines()] == ["old", "new"]


# items that cannot pass

@pytest.mark.parametrize("poison, word", [(b"two\nlines", "line break"), (b"nul\0nul", "nul")])
def test_items_that_cannot_pass_as_a_line(queue, poison, word):
    queue.push("a", poison, "b")
    result = queue.once(queue.handler())
    assert queue.runs() == [["a", "b"]]
    queue.settled(acked=2, failed=1, died=1)
    entry, = queue.dead().values()
    assert entry["item"] == poison.decode() and word in entry["reason"].lower()
    assert word in result.err.lower(), "it is logged"


def test_an_empty_item_that_a_plain_program_pushed(queue):
    queue.settings(coalesce=False)
    queue.client.lpush(QUEUE, "a", "", "b")
    queue.once(queue.handler())
    assert queue.runs() == [["a", "b"]] and list(queue.dead()) == [""]


def test_an_item_larger_than_ours_may_be(queue):
    """A plain program may push it; the others go on."""
    queue.settings(coalesce=False)
    queue.client.lpush(QUEUE, "a", b"x" * (3 << 20), "b")
    queue.once(f"grep -v xxx >>{queue.file('in')}; exit 0")
    assert sorted(queue.read("in").split()) == ["a", "b"]
    assert queue.stats()["in_flight"] == 0


def test_nothing_but_items_that_cannot_pass(queue):
    queue.push("a\nb", "c\nd")
    queue.once(queue.handler())
    assert queue.runs() == [] and len(queue.dead()) == 2


# when it runs

def test_once_leaves_the_delayed(queue):
    queue.push("a", "b")
    queue.once(queue.handler('[ "$1" = b ] || exit 1'), "--batch", "1")
    assert list(queue.delayed()) == ["a"]
    queue.settled(acked=1, failed=1)
    queue.once(queue.handler())
    assert queue.data("stats", QUEUE)["consumers"] == [], "nobody stays registered"


def test_once_with_nothing_to_do(queue):
    queue.once("exit 3")
    assert queue.leftovers() == []


def test_parallel_runs_at_the_same_time(queue):
    """Each waits for the others: it ends only if three run at once."""
    queue.push("a", "b", "c")
    meet = f'touch {queue.file("here")}.$$; until [ $(ls {queue.folder} | grep -c here) = 3 ]; do sleep 0.02; done'
    queue.once(queue.handler(meet), "--parallel", "3", "--batch", "1")
    queue.settled(acked=3)


def test_parallel_gives_each_item_once(queue):
    items = [f"event:{n}" for n in range(300)]
    queue.push(*items)
    queue.once(queue.handler(), "--parallel", "4", "--batch", "10")
    assert sorted(sum(queue.runs(), [])) == sorted(items)
    queue.settled(acked=300)


def test_one_at_a_time_keeps_the_order(queue):
    consumer = queue.consume(queue.handler(), "--batch", "3")
    items = [f"event:{n}" for n in range(40)]
    for item in items:
        queue.push(item)
    queue.until_counted(acked=40)
    consumer.stop()
    assert sum(queue.runs(), []) == items


def test_linger_lets_a_batch_fill(queue):
    consumer = queue.consume(queue.handler(), "--linger", "1000")
    queue.until_idle()
    queue.push("a")
    queue.until(lambda: not queue.client.llen(QUEUE))
    queue.push("b", "c")
    queue.push("d")
    queue.until_counted(acked=4)
    consumer.stop()
    assert [sorted(run) for run in queue.runs()] == [["a", "b", "c", "d"]]


def test_no_linger_no_delay(queue):
    consumer = queue.consume(queue.handler())
    queue.until_idle()
    queue.push("a")
    queue.until_counted(acked=1, seconds=1)
    consumer.stop()


def test_a_paused_queue(queue):
    queue.run("pause", QUEUE).must(0)
    queue.push("a")
    consumer = queue.consume(queue.handler(), "--lease", "1 s")
    queue.until_registered()
    stays(lambda: not queue.runs(), 0.6)
    assert consumer.cpu_seconds() < 0.3 * SLOWER, "it does not spin"
    queue.run("resume", QUEUE).must(0)
    queue.until_counted(acked=1, seconds=5)
    consumer.stop()


def test_delayed_items_come_when_they_are_due(queue):
    consumer = queue.consume(queue.handler())
    queue.push("b")
    queue.until_counted(acked=1)
    due_ms = queue.now_ms() + 700
    queue.client.zadd(f"{QUEUE}:delayed", {"due": due_ms})
    queue.push("c")
    queue.until_counted(acked=3, seconds=2)
    assert queue.runs() == [["b"], ["c"], ["due"]] and queue.now_ms() >= due_ms
    consumer.stop()


def test_settings_of_the_configuration_are_kept_in_the_queue(queue):
    queue.settings(max_failures=3, max_crashes=2, coalesce=False)
    queue.once(queue.handler())
    stats = queue.stats()
    assert (stats["max_failures"], stats["max_crashes"], stats["coalesce"]) == (3, 2, False)


def test_nothing_is_logged_about_what_goes_well(queue):
    consumer = queue.consume(queue.handler())
    for number in range(10):
        queue.push(f"event:{number}")
        queue.until_counted(acked=number + 1)
    consumer.stop()
    assert 1 <= len(consumer.log.splitlines()) <= 4 and all("level=info" in line for line in consumer.log.splitlines())


@pytest.mark.skipif(SANITIZED, reason="the sanitizers' own memory is in the way")
def test_a_long_queue_costs_no_memory(queue):
    """consume holds a batch, not the queue: here 100 kB of 10 MB."""
    for number in range(100):
        queue.client.lpush(QUEUE, *(f"event:{number * 1000 + n:094}" for n in range(1000)))
    consumer = queue.consume("cat >/dev/null", "--batch", "1000")
    queue.until_counted(acked=100_000, seconds=30)
    assert consumer.peak_kb() < 12_000
    consumer.stop()
