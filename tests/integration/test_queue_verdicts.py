"""consume: what verdicts and exit status do to the items, and the bisecting that finds the culprit."""
import os
import re

import pytest

from harness.programs import SLOWER
from harness.queue import PYTHON, QUEUE
from harness.waiting import stays


# verdicts

def verdicts(text, status=0):
    """A handler's body that prints these verdicts and exits."""
    return f"printf '{text}' >&3\nexit {status}"


def test_fail_verdicts(queue):
    before = queue.now_ms()
    queue.push("a", "b", "c", "d e")
    queue.once(queue.handler(verdicts(r"fail\tb\tno such index\nok\ta\nfail\td e\n")))
    queue.settled(acked=2, failed=2)
    delayed = queue.delayed()
    assert set(delayed) == {"b", "d e"} and delayed["b"]["reason"] == "no such index"
    assert delayed["b"]["failures"] == 1 and delayed["b"]["crashes"] == 0
    assert 0 < delayed["b"]["due_ms"] - before < 3000 * SLOWER, "the first backoff"


def test_fail_beats_ok(queue):
    queue.push("a", "b")
    queue.once(queue.handler(verdicts(r"ok\ta\nfail\ta\tx\nfail\tb\ty\nok\tb\n")))
    queue.settled(failed=2)


def test_reasons_are_cut_and_odd_bytes_survive(queue):
    queue.push("a")
    queue.once(queue.handler(verdicts(r"fail\ta\tcaf\303\251\ttab " + "x" * 2000 + r"\n")))
    reason = queue.delayed()["a"]["reason"]
    assert reason.startswith("café\ttab xxx") and 500 <= len(reason.encode()) <= 512


def test_ok_verdicts_are_settled_whatever_the_exit_status(queue):
    queue.push("a", "b", "c")
    queue.once(queue.handler('case " $* " in *" a "*) printf "ok\\ta\\nok\\tb\\nfail\\tc\\tno\\n" >&3;; esac; exit 3'))
    assert queue.runs() == [["a", "b", "c"]], "nothing is left to be bisected"
    queue.settled(acked=2, failed=1)
    assert queue.delayed()["c"]["reason"] == "no"


WRONG = {"unknown word": r"done\ta\n", "no tab": r"ok a\n", "no item": r"ok\n", "empty item": r"ok\t\n", "empty line": r"\n",
         "an item of another run": r"ok\tz\n", "more": r"ok\ta\textra\n", "case": r"OK\ta\n"}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_a_wrong_verdict_fails_the_item(queue, text):
    """The command is confused: its exit 0 says nothing."""
    queue.push("a")
    result = queue.once(queue.handler(verdicts(text)))
    queue.settled(failed=1)
    assert "wrong verdict" in queue.delayed()["a"]["reason"] and "verdict" in result.err


def test_a_wrong_verdict_beside_valid_ones(queue):
    """Valid ones count; the others are tried in halves, and the one that brings the nonsense is charged."""
    queue.push("a", "b", "c", "d")
    body = 'case " $* " in *" c "*) printf "nonsense\\n" >&3;; esac\n' \
           'case " $* " in *" a "*) printf "ok\\ta\\n" >&3;; esac'
    queue.once(queue.handler(body))
    queue.settled(acked=3, failed=1)
    assert list(queue.delayed()) == ["c"] and sum("a" in run for run in queue.runs()) == 1


def test_an_endless_verdict(queue):
    """A line longer than any verdict can be is not kept in memory to its end."""
    queue.push("a")
    queue.once(queue.handler("head -c 20000000 /dev/zero | tr '\\0' x >&3; exit 0"))
    queue.settled(failed=1)
    assert "wrong verdict" in queue.delayed()["a"]["reason"] and len(queue.delayed()["a"]["reason"]) <= 512


def test_a_verdict_cut_short_is_none(queue):
    """It may be the beginning of another item's."""
    queue.push("event:12", "event:1")
    once = f'[ -e {queue.file("cut")} ] && exit 3; touch {queue.file("cut")}; printf "ok\\tevent:1" >&3; kill -9 $$'
    queue.once(queue.handler(once))
    queue.settled(failed=2)


def test_verdict_of_an_item_with_a_mebibyte(queue):
    queue.push(b"x" * (1 << 20))
    queue.once("(printf 'fail\\t'; tr -d '\\n'; printf '\\ttoo big\\n') >&3")
    queue.settled(failed=1)
    entry, = queue.delayed().values()
    assert entry["reason"] == "too big"


def test_verdicts_name_documents_as_the_command_was_given_them(queue):
    """In JSON, what is no UTF-8 is U+FFFD."""
    for key in (b"caf\xe9", b"plain"):
        queue.client.hset(key, "n", "1")
        queue.push(key)
    program = "import json, os, sys\nwith os.fdopen(3, 'w') as verdicts:\n for line in sys.stdin:\n" \
              "  key = json.loads(line)['key']\n  print('fail' if 'caf' in key else 'ok', key, sep='\\t', file=verdicts)\n"
    queue.once(f"env PYTHONUTF8=1 {PYTHON.replace(' -I', '')} {queue.file('indexer.py', program)}", "--docs")
    assert list(queue.delayed()) == ["caf\ufffd"]
    queue.settled(acked=1, failed=1)


# exit statuses

def test_exit_75_releases_all_without_counting(queue):
    queue.push("a", "b", "c", "d")
    consumer = queue.consume(queue.handler(verdicts(r"ok\ta\nfail\tb\tno\n", 75)), "--batch", "4")
    queue.until_counted(acked=1, failed=1, released=2)
    stays(lambda: len(queue.runs()) == 1, 0.3)
    assert queue.waiting() == ["c", "d"], "in their order"
    consumer.stop(2)
    assert queue.client.hlen(f"{QUEUE}:failures") == 1
    assert queue.stats()["counters"]["released"] == 2


def test_exit_75_backs_off(queue):
    """1 s, doubling, with jitter down to half of the first."""
    queue.push("a")
    consumer = queue.consume(queue.handler(f'date +%s.%N >>{queue.file("at")}; [ -e {queue.file("up")} ] || exit 75'))
    queue.until(lambda: queue.read("at").count("\n") == 3, 15)
    first, second, third = (float(line) for line in queue.read("at").split())
    assert 0.4 < second - first < 1.5 * SLOWER and 0.4 < third - second < 2.5 * SLOWER
    queue.file("up", "")
    queue.until_counted(acked=1, seconds=12)
    consumer.stop()
    released = queue.stats()["counters"]["released"]
    assert released in (2, 3), "the third may have found it up already"
    queue.settled(acked=1, released=released)


def test_attempts_do_not_grow_by_releases(queue):
    queue.push("a")
    consumer = queue.consume(f'cat >/dev/null; echo $ATTEMPT >>{queue.file("attempts")}; exit 75')
    queue.until(lambda: len(queue.read("attempts").split()) == 2)
    consumer.stop()
    assert queue.read("attempts").split() == ["1", "1"]


@pytest.mark.parametrize("mode", [None, 0o644], ids=["127", "126"])
def test_a_command_that_cannot_be_run(queue, mode):
    queue.push("a", "b")
    command = queue.file("indexer", *(["#!/bin/sh\n", mode] if mode else []))
    result = queue.once(command, code=78)
    assert command in result.err
    queue.settled(released=2)
    assert queue.waiting() == ["a", "b"] and not queue.client.exists(f"{QUEUE}:failures")
    assert queue.stats()["consumers"] == [], "it has left"


def test_a_command_that_cannot_be_run_any_more(queue):
    """It worked before, somebody is installing a new one."""
    command = queue.handler()
    consumer = queue.consume(command)
    queue.push("a")
    queue.until_counted(acked=1)
    os.rename(command, command + ".away")
    queue.push("b")
    queue.until_counted(acked=1, released=1)
    consumer.says("level=error", command)
    os.rename(command + ".away", command)
    queue.until_counted(acked=2)
    assert queue.stats()["counters"]["failed"] == 0
    consumer.stop()


@pytest.mark.parametrize("body, reason", [
    ("exit 3", "exited with status 3"), ("exit 255", "exited with status 255"),
    ("kill -SEGV $$", "was killed by signal 11 (Segmentation fault)"), ("kill -9 $$", "was killed by signal 9")])
def test_one_item_that_fails_is_charged(queue, body, reason):
    queue.push("a")
    result = queue.once("exec " + queue.handler(body))
    queue.settled(failed=1)
    entry = queue.delayed()["a"]
    assert reason in entry["reason"] and entry["failures"] == 1 and entry["crashes"] == 0
    assert re.search(r"level=(warn|error).*\ba\b.*" + re.escape(reason), result.err), "logged with its item"


def test_the_shell_tells_of_a_signal_in_its_way(queue):
    queue.push("a")
    queue.once(queue.handler("kill -SEGV $$") + "; exit $?")
    assert "139" in queue.delayed()["a"]["reason"]


def test_default_backoff_and_death(queue):
    """Tried again after about a second; after max_failures it is a dead letter with its last reason."""
    queue.settings(max_failures=2)
    queue.push("a")
    consumer = queue.consume(queue.handler(f'echo $ATTEMPT >>{queue.file("attempts")}; exit $ATTEMPT'))
    queue.until_counted(died=1)
    consumer.stop()
    assert queue.read("attempts").split() == ["1", "2"]
    entry = queue.dead()["a"]
    assert (entry["failures"], entry["crashes"]) == (2, 0) and "status 2" in entry["reason"]


def test_python_command(queue):
    """As the manual shows it: verdicts in Python."""
    queue.push("a", "b")
    program = "import os, sys\nwith os.fdopen(3, 'w') as verdicts:\n for line in sys.stdin:\n" \
              "  print('ok' if line == 'a\\n' else 'fail', line.strip(), sep='\\t', file=verdicts)\n"
    queue.once(f"{PYTHON} {queue.file('indexer.py', program)}")
    queue.settled(acked=1, failed=1)


# bisecting

def charged(queue, runs, **counters):
    assert len(queue.runs()) == runs, queue.runs()
    queue.settled(**counters)


def test_the_culprit_alone_is_charged(queue):
    """Eight items: 1 run of all, then two halves on each of three levels."""
    queue.push("a", "b", "c", "BAD", "e", "f", "g", "h")
    queue.once(queue.handler('case " $* " in *BAD*) exit 3;; esac'))
    charged(queue, 7, acked=7, failed=1)
    assert list(queue.delayed()) == ["BAD"] and "status 3" in queue.delayed()["BAD"]["reason"]
    good = [item for run in queue.runs() if "BAD" not in run for item in run]
    assert sorted(good) == ["a", "b", "c", "e", "f", "g", "h"], "each is in one good run"


def test_a_hundred_items_take_few_runs(queue):
    queue.push(*(f"event:{n}" for n in range(100)))
    queue.once(queue.handler('case " $* " in *" event:77 "*) exit 1;; esac'))
    assert len(queue.runs()) <= 15
    queue.settled(acked=99, failed=1)


def test_several_culprits(queue):
    queue.push("BAD1", "b", "c", "d", "e", "BAD2")
    queue.once(queue.handler('case " $* " in *BAD*) kill -SEGV $$;; esac'))
    queue.settled(acked=4, failed=2)
    assert sorted(queue.delayed()) == ["BAD1", "BAD2"]


def test_all_are_culprits(queue):
    queue.push("a", "b", "c", "d")
    queue.once(queue.handler("exit 1"))
    charged(queue, 7, failed=4)


def test_items_that_fail_only_together(queue):
    """Nobody is charged: each half passes."""
    queue.push("a", "b", "c", "d")
    queue.once(queue.handler("[ $# -lt 4 ] || exit 1"))
    charged(queue, 3, acked=4)


def test_a_half_that_finds_the_target_down(queue):
    """Exit 75 in the middle: what is not settled yet is released, and comes again later."""
    queue.push("a", "BAD", "c", "d")
    body = f'case " $* " in *BAD*) exit 3;; esac; [ -e {queue.file("up")} ] || {{ touch {queue.file("up")}; exit 75; }}'
    consumer = queue.consume(queue.handler(body))
    queue.until_counted(acked=3, seconds=15)
    queue.until(lambda: "BAD" in queue.delayed())
    consumer.stop()
    assert queue.stats()["counters"]["released"] >= 1


def test_the_token_stays_the_same(queue):
    queue.push("a", "b")
    queue.once(queue.handler(f'echo $TOKEN >>{queue.file("tokens")}; [ $# = 1 ]'))
    assert len(queue.read("tokens").split()) == 3 and len(set(queue.read("tokens").split())) == 1


def test_good_ones_are_acked_while_the_others_are_still_tried(queue):
    """Items proved good do not wait for the end of the bisection."""
    gate = queue.file("gate")
    consumer = queue.consume(queue.handler(
        f'[ $# = 1 ] || exit 3; [ "$1" = a ] || until [ -e {gate} ]; do sleep 0.02; done'))
    queue.run("pause", QUEUE).must(0)
    queue.push("a", "b")
    queue.run("resume", QUEUE).must(0)
    queue.until_counted(acked=1)
    assert queue.stats()["in_flight"] == 1
    queue.file("gate", "")
    queue.until_counted(acked=2)
    consumer.stop()


def test_documents_are_bisected_as_well(queue):
    for number in range(4):
        queue.client.hset(f"event:{number}", mapping={"_v": number, "name": f"n{number}"})
        queue.push(f"event:{number}")
    queue.once(f"tee -a {queue.file('docs')} | grep -q n2 && exit 3; exit 0", "--docs")
    queue.settled(acked=3, failed=1)
    assert list(queue.delayed()) == ["event:2"]


def test_the_culprit_dies_in_the_end(queue):
    """Only it: the good ones beside it are indexed again and again, and never charged."""
    queue.settings(max_failures=2)
    queue.push("a", "BAD", "c")
    consumer = queue.consume(queue.handler('case " $* " in *BAD*) exit 3;; esac'))
    queue.until_counted(died=1, acked=2)
    consumer.stop()
    assert queue.dead()["BAD"]["failures"] == 2 and queue.leftovers() == [f"{QUEUE}:dead", f"{QUEUE}:failures"]
