"""pgusher-queue's verbs in plain text and in JSON, each on a queue in a known state."""
import json
import re
from datetime import datetime

import pytest

from harness.queue import QUEUE, Native, Terminal


def lines(text):
    """The words of each line, at least two spaces between them."""
    return [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]


# peek

def test_peek_shows_what_leaves_next(queue):
    queue.push(*(f"event:{n}" for n in range(1, 13)))
    assert queue.run("peek", QUEUE).must(0).out.split() == [f"event:{n}" for n in range(1, 11)]
    assert queue.run("peek", QUEUE, "-n", "2").must(0).out.split() == ["event:1", "event:2"]
    assert len(queue.run("peek", QUEUE, "-n", "1000000").must(0).out.split()) == 12
    shown = queue.data("peek", QUEUE, "-n", "1")
    assert [set(entry) for entry in shown] == [{"item", "since_ms"}]
    assert shown[0]["item"] == "event:1" and abs(shown[0]["since_ms"] - queue.now_ms()) < 60_000
    assert queue.stats()["waiting"] == 12, "peek takes nothing"


def test_peek_of_what_a_plain_program_pushed(queue):
    queue.client.lpush(QUEUE, "undated")
    assert queue.data("peek", QUEUE) == [{"item": "undated", "since_ms": None}]


def test_peek_pages_through_a_long_queue(queue):
    items = [f"event:{n}" for n in range(3500)]
    for start in range(0, len(items), 1000):
        queue.push(*items[start:start + 1000])
    assert queue.run("peek", QUEUE, "-n", "3400").must(0).out.split() == items[:3400]


def test_peek_of_the_delayed(mixed):
    entry, = mixed.data("peek", QUEUE, "--delayed")
    assert entry.pop("due_ms") - mixed.now_ms() > 500_000
    assert entry == {"item": "e", "failures": 1, "crashes": 0, "reason": "busy"}
    assert "e" in mixed.run("peek", QUEUE, "--delayed").must(0).out.split()


def test_peek_of_nothing(queue):
    assert queue.run("peek", QUEUE).must(0).out == ""
    assert queue.data("peek", QUEUE) == queue.data("peek", QUEUE, "--delayed") == []


# push

def test_push_says_what_became_of_each(mixed):
    said = mixed.run("push", QUEUE, "new", "a", "d", "e", "f").must(0).out
    assert said == "new\tqueued\na\tcoalesced\nd\tdirty\ne\tjoined\nf\trevived\n"
    assert mixed.waiting() == ["a", "b", "new", "f"]
    assert mixed.data("push", QUEUE, "new", "g") == [{"item": "new", "outcome": "coalesced"},
                                                     {"item": "g", "outcome": "revived"}]


def test_push_from_stdin(queue):
    assert queue.run("push", QUEUE, "-", input=b"a\nb c\na\nlast").must(0).out == \
        "a\tqueued\nb c\tqueued\na\tcoalesced\nlast\tqueued\n"
    assert queue.waiting() == ["a", "b c", "last"]


def test_push_of_nothing_from_stdin(queue):
    assert queue.run("push", QUEUE, "-", input=b"").must(0).out == ""
    assert queue.data("push", QUEUE, "-", input=b"") == []


def test_push_of_many_takes_several_calls(queue):
    items = [f"event:{n}" for n in range(2501)]
    said = queue.run("push", QUEUE, "-", input="\n".join(items).encode()).must(0).out
    assert said == "".join(f"{item}\tqueued\n" for item in items)
    assert queue.waiting() == items


def test_options_may_stand_anywhere(queue):
    url = queue.redis.url
    for argv in (["--json", "-r", url, "push", QUEUE, "a"], ["push", "--json", QUEUE, "-r", url, "b"],
                 ["push", QUEUE, "c", "--redis=" + url, "--json"]):
        queue.where = []
        assert json.loads(queue.run(*argv).must(0).out)[0]["outcome"] == "queued"
    assert queue.waiting() == ["a", "b", "c"]


def test_an_item_that_looks_like_an_option(queue):
    queue.run("push", QUEUE, "--", "--json", "-").must(0)
    assert queue.waiting() == ["--json", "-"]


def test_push_without_coalescing(queue):
    queue.settings(coalesce=False)
    assert queue.run("push", QUEUE, "a", "a").must(0).out == "a\tqueued\na\tqueued\n"
    assert queue.waiting() == ["a", "a"] and queue.stats()["coalesce"] is False


# recover

def test_recover_takes_back_what_the_dead_held(queue):
    queue.push("a", "b", "c")
    Native(queue.client, lease_ms=1).reserve(2)
    Native(queue.client, "alive:1:b").reserve(1)
    queue.until(lambda: queue.stats()["consumers"][0]["lease_left_ms"] < 0)
    assert "2 items recovered" in queue.run("recover", QUEUE).must(0).out
    assert sorted(queue.waiting()) == ["a", "b"] and queue.stats()["in_flight"] == 1
    assert queue.data("recover", QUEUE) == {"recovered": 0}


def test_recover_counts_items_that_die(queue):
    queue.settings(max_crashes=1)
    queue.push("a")
    Native(queue.client, lease_ms=1).reserve(1)
    queue.until(lambda: queue.stats()["consumers"][0]["lease_left_ms"] < 0)
    assert queue.data("recover", QUEUE) == {"recovered": 1}
    entry = queue.dead()["a"]
    assert (entry["failures"], entry["crashes"]) == (0, 1) and "native:1:a" in entry["reason"]


# dead, replay

def test_dead_as_json(mixed):
    entries = mixed.data("dead", QUEUE)
    assert [(e["item"], e["failures"], e["crashes"], e["reason"]) for e in entries] == \
        [("f", 1, 0, "bad f"), ("g", 1, 0, "bad\ng")]
    assert set(entries[0]) == {"item", "died_ms", "failures", "crashes", "reason"}
    assert abs(entries[0]["died_ms"] - mixed.now_ms()) < 60_000
    assert [entry["item"] for entry in mixed.data("dead", QUEUE, "-n", "1")] == ["f"]


def test_dead_in_plain_text(mixed):
    head, first, second = lines(mixed.run("dead", QUEUE).must(0).out)
    assert head == ["DIED", "FAILURES", "CRASHES", "ITEM", "REASON"]
    died = datetime.fromisoformat(first[0].replace("Z", "+00:00"))
    assert first[0].endswith("Z") and abs(died.timestamp() * 1000 - mixed.now_ms()) < 60_000
    assert first[1:] == ["1", "0", "f", "bad f"] and second[4] == r"bad\x0ag"


def test_no_dead_letters(queue):
    assert queue.data("dead", QUEUE) == []
    assert len(queue.run("dead", QUEUE).must(0).out.splitlines()) <= 1


def test_replay(mixed):
    assert "1 replayed" in mixed.run("replay", QUEUE, "f").must(0).out
    assert mixed.waiting() == ["a", "b", "f"] and list(mixed.dead()) == ["g"]
    assert mixed.client.hget(f"{QUEUE}:failures", "f") is None, "its counts begin anew"
    assert mixed.data("replay", QUEUE, "g") == {"replayed": 1, "not_dead": []}


def test_replay_of_what_is_not_dead(mixed):
    result = mixed.run("replay", QUEUE, "a", "f", "event:9").must(1, '"event:9" is no dead letter of {search}')
    assert '"a" is no dead letter of {search}' in result.err and "1 replayed" in result.out
    assert list(mixed.dead()) == ["g"]
    result = mixed.run("replay", QUEUE, "g", "event:9", "--json").must(1)
    assert json.loads(result.out) == {"replayed": 1, "not_dead": ["event:9"]}


def test_replay_of_all(queue):
    consumer = Native(queue.client)
    items = [f"event:{n}" for n in range(2300)]
    for start in range(0, len(items), 1000):
        queue.push(*items[start:start + 1000])
        consumer.bury(*consumer.reserve(1000))
    assert "2300 replayed" in queue.run("replay", QUEUE, "--all").must(0).out
    assert sorted(queue.waiting()) == sorted(items) and queue.stats()["dead"] == 0
    assert queue.data("replay", QUEUE, "--all") == {"replayed": 0, "not_dead": []}


# rm, purge

def test_rm_finds_items_wherever_they_are(mixed):
    assert "5 removed" in mixed.run("rm", QUEUE, "a", "c", "d", "e", "f").must(0).out
    stats = mixed.stats()
    assert [stats[name] for name in ("waiting", "in_flight", "dirty", "delayed", "dead")] == [1, 0, 0, 0, 1]
    assert mixed.push("a", "c", "d", "e", "f") == ["queued"] * 5


def test_rm_takes_it_from_plain_consumers(queue):
    queue.push("a", "b")
    queue.client.rpoplpush(QUEUE, f"{QUEUE}-processing")
    queue.run("rm", QUEUE, "a").must(0)
    assert queue.stats()["plain"] == 0 and queue.waiting() == ["b"]


def test_rm_of_what_is_not_there(mixed):
    result = mixed.run("rm", QUEUE, "a", "nobody").must(1, "nobody")
    assert "1 removed" in result.out and mixed.waiting() == ["b"]
    result = mixed.run("rm", QUEUE, "b", "nobody", "--json").must(1)
    assert json.loads(result.out) == {"removed": 1, "absent": ["nobody"]}


def test_an_ack_after_rm_is_stale(queue):
    queue.push("a")
    consumer = Native(queue.client)
    consumer.reserve()
    queue.run("rm", QUEUE, "a").must(0)
    assert consumer.ack("a") == [0, 0, 1]


def test_purge_of_the_dead(mixed):
    assert "2 thrown away" in mixed.run("purge", QUEUE, "--dead", "--yes").must(0).out
    assert mixed.dead() == {} and mixed.waiting() == ["a", "b"]
    assert mixed.data("purge", QUEUE, "--dead", "--yes") == {"purged": 0}


def test_purge_of_all(mixed):
    consumer = Native(mixed.client)
    assert mixed.data("purge", QUEUE, "--all", "--yes") == {"purged": 7}
    stats = mixed.stats()
    assert not any(stats[name] for name in ("waiting", "in_flight", "dirty", "delayed", "dead", "plain"))
    assert stats["counters"]["queued"] == 7, "counters stay"
    consumer.token = "1"
    assert consumer.ack("d") == [0, 0, 1]
    assert mixed.push("a", "c", "e", "f") == ["queued"] * 4


def test_purge_needs_yes_where_nobody_can_answer(mixed):
    mixed.run("purge", QUEUE, "--dead", input=b"y\n").must(64, "--yes")
    mixed.run("purge", QUEUE, "--all", "--json").must(64, "--yes")
    assert len(mixed.dead()) == 2 and mixed.waiting() == ["a", "b"]


@pytest.mark.parametrize("answer, code, left", [(b"y\n", 0, 0), (b"n\n", 1, 2), (b"\n", 1, 2), (b"\x04", 1, 2)],
                         ids=["y", "n", "enter", "end of file"])
def test_purge_asks_on_a_terminal(mixed, answer, code, left):
    with Terminal(*mixed.where, "purge", QUEUE, "--dead") as terminal:
        question = terminal.draws(b"[y/N]")
        assert b"2" in question and b"dead letter" in question and b"{search}" in question
        terminal.type(answer)
        terminal.ends().must(code)
    assert len(mixed.dead()) == left


def test_what_purge_would_throw_away_is_told(mixed):
    with Terminal(*mixed.where, "purge", QUEUE, "--all") as terminal:
        question = terminal.draws(b"[y/N]")
        assert b"all of {search}: 2 waiting" in question and b"2 dead" in question
        terminal.type(b"n\n")
        terminal.ends().must(1)
    mixed.client.config_set("requirepass", "other")
    try:
        with Terminal(*mixed.where, "purge", QUEUE, "--all") as terminal:
            terminal.ends().must(78, "NOAUTH")
    finally:
        mixed.client.connection_pool.disconnect()
        mixed.redis.connect(password="other").config_set("requirepass", "")


# pause, resume

def test_pause_and_resume(queue):
    queue.run("pause", QUEUE).must(0)
    assert queue.push("a") == ["queued"]
    assert queue.stats()["paused"] is True and Native(queue.client).reserve() == []
    queue.run("resume", QUEUE).must(0)
    assert queue.stats()["paused"] is False and Native(queue.client).reserve() == ["a"]


# what all have in common

def test_odd_bytes_are_shown_safely(queue):
    odd = b"a\tb\nc\\d\x1b[31m\x7f"
    assert queue.run("push", QUEUE, odd).must(0).out == r"a\x09b\x0ac\\d\x1b[31m\x7f" + "\tqueued\n"
    assert queue.client.lrange(QUEUE, 0, -1) == [odd]
    assert "\x1b" not in queue.run("peek", QUEUE).must(0).out
    assert queue.data("peek", QUEUE)[0]["item"] == odd.decode()


def test_json_is_utf8_whatever_the_bytes(queue):
    queue.client.lpush(QUEUE, b"caf\xc3\xa9", b"caf\xe9!", b"nul\0nul")
    out = queue.run("peek", QUEUE, "--json").must(0).out
    assert [entry["item"] for entry in json.loads(out)] == ["café", "caf\ufffd!", "nul\0nul"]


def test_help_and_version(queue):
    queue.where = []
    shown = queue.run("--help").must(0).out
    assert all(verb in shown for verb in ("list", "stats", "peek", "push", "recover", "dead", "replay", "rm", "purge",
                                          "pause", "resume", "doctor", "consume"))
    assert re.search(r"\d", queue.run("--version").must(0).out)
