"""Programs whose allocations, reads and writes fail, one after the other: what they claim is so, and what failed can be done again.

`make check` deals a few failures to each, `make inject` all: see harness/inject.py."""
import re
import subprocess

import pytest

from harness import ticketing
from harness.inject import ABORTED, WHOLE, command, some
from harness.programs import COUNTED
from harness.queue import QUEUE

FEW = 2  # failures of each kind in `make check`
# hiredis before 1.0 aborts, or worse, where it cannot allocate itself.
OLD_HIREDIS = subprocess.run(["pkg-config", "--atleast-version=1.0", "hiredis"]).returncode != 0
OLD_HIREDIS_CRASHES = (ABORTED, -11) if OLD_HIREDIS else ()
HARMLESS = ("short:", "EINTR:")  # these are no failures at all


def without_numbers(text):
    return re.sub(r"\d+([.,]\d+)*( [a-z]+)?", "N", text)


class Verb:
    """A command, what is to be done before each run of it, and what must be so when it says that it succeeded."""

    def __init__(self, argv, before=lambda: None, done=lambda: True, ended=lambda: None, good=(0,), input=b""):
        self.argv, self.before, self.done, self.ended, self.good, self.input = argv, before, done, ended, good, input

    def shoot(self, inject, *arguments, **more):
        self.before()
        return inject.shoot(self.argv, *arguments, input=self.input, **more)

    def judge(self, shot, reference, what):
        """Whether the run was honest."""
        if shot.code in self.good:
            assert shot.code == reference.code, f"{what}: another verdict: {shot}"
            assert without_numbers(shot.out) == without_numbers(reference.out), f"{what}: says something else: {shot}\n{reference}"
            assert self.done(), f"{what}: claims success: {shot}"
        else:
            assert shot.err.strip(), f"{what}: does not say why: {shot}"

    def mended(self, inject, what):
        """Without failures it works again, from what the last run left."""
        shot = inject.shoot(self.argv, input=self.input)
        assert shot.code in self.good and self.done(), f"{what}, and then nothing in its way: {shot}"
        self.ended()


def deal_memory(inject, verb, callers, few=FEW):
    reference = verb.shoot(inject, callers)
    assert reference.code in verb.good and verb.done(), reference
    verb.ended()
    for number in some(reference.allocations, few):
        for after in ("", "+"):
            what = f"allocation {number}{after} of {callers}"
            shot = verb.shoot(inject, callers, memory=f"{number}{after}")
            if shot.code == ABORTED and not ("hiredis" in callers and OLD_HIREDIS):
                assert "out of memory" in shot.err, f"{what}: dies without a word: {shot}"
            elif COUNTED and shot.code == -11:
                pass  # gcov, which writes what it has counted, has no memory either
            elif shot.code not in OLD_HIREDIS_CRASHES or "hiredis" not in callers:
                assert shot.code in (ABORTED, 69, *verb.good), f"{what}: {shot}"
                verb.judge(shot, reference, what)
            assert "redisProcessCallbacks" not in shot.err, f"{what}: a reply without its command: {shot}"
            verb.mended(inject, what)


def deal_transfers(inject, verb, callers, kind, few=FEW):
    reference = verb.shoot(inject, callers)
    assert reference.code in verb.good and verb.done(), reference
    verb.ended()
    for number in some(reference.transfers, few):
        what = f"{kind}{number} of {callers}"
        shot = verb.shoot(inject, callers, io=f"{kind}{number}{'+' if kind == 'short:' else ''}")
        assert shot.code in ((69, *verb.good) if kind not in HARMLESS else (reference.code,)), f"{what}: {shot}"
        verb.judge(shot, reference, what)
        verb.mended(inject, what)


# what is done

@pytest.fixture
def verbs(tickets):
    """Of the same marketplace and queue, in step when they begin."""
    box, redis, counter = tickets, tickets.redis.client, iter(range(1_000_000))
    state = {}
    box.ready(ticketing.projections()).stop()
    pgusher, pgusherd, ours = (command(name, "-c", box.path) for name in ("pgusher", "pgusherd", "pgusher-queue"))

    def change():
        state["name"] = f"event {next(counter)}"
        redis.delete(QUEUE, *redis.scan_iter(f"{QUEUE}:*"))
        box.db.sql("UPDATE event SET name = %s WHERE id = 1", state["name"])

    def applied():
        return box.hash("event:1")["name"] == state["name"] and "event:1" in box.queued()

    def spoil():
        redis.hset("event:1", mapping={"name": "spoilt", "_d": "0"})

    def mended():
        return box.hash("event:1")["name"] != "spoilt"

    def push():
        state["item"] = f"event:{next(counter)}"
        redis.delete(QUEUE, *redis.scan_iter(f"{QUEUE}:*"))

    def pushed():
        return "event:1" in box.queued()

    def once_only():
        assert box.queued().count("event:1") == 1

    def bury():
        push()
        for item in ("event:1", "event:2", "event:3"):
            redis.zadd(f"{QUEUE}:dead", {item: 1})

    def revived():
        return sorted(box.queued()) == ["event:1", "event:2", "event:3"]

    return {
        "check offline": Verb([*pgusher, "check", "--offline"]),
        "check": Verb([*pgusher, "check"]),
        "status": Verb([*pgusher, "status", "--json"], good=(0, 1)),
        "verify": Verb([*pgusher, "verify"]),
        "repair": Verb([*pgusher, "verify", "--repair"], before=spoil, done=mended),
        "backfill": Verb([*pgusher, "backfill", "--dry-run"]),
        "once": Verb([*pgusherd, "--once"], before=change, done=applied, ended=once_only),
        "push": Verb([*ours, "push", QUEUE, "event:1"], before=push, done=pushed, ended=once_only),
        "list": Verb([*ours, "list", "--json"], before=change),
        "stats": Verb([*ours, "stats", QUEUE, "--json"], before=change),
        "replay": Verb([*ours, "replay", QUEUE, "--all"], before=bury, done=revived),
    }


# Programs, and in whose calls failures are dealt to them: ours, or those of a library they use.
SAMPLE = [("once", "libpq"), ("once", "hiredis"), ("once", "pgusher"), ("push", "pgusher")]
EACH = [(name, callers) for name in ("check", "status", "verify", "repair", "backfill", "once")
        for callers in ("pgusher", "libpq", "hiredis")] + [
    (name, "pgusher") for name in ("check offline", "push", "list", "stats", "replay")]
KINDS = [*HARMLESS, "ECONNRESET:", "EPIPE:", "EAGAIN:"]



def test_jansson_has_no_memory_of_its_own(inject, verbs):
    """It would go on without a character of a connection string, or without a member of what is printed."""
    for name in ("status", "list"):
        shot = verbs[name].shoot(inject, "jansson")
        assert shot.code in verbs[name].good and shot.allocations == 0, shot


if WHOLE:
    @pytest.mark.parametrize("name, callers", EACH)
    def test_memory(inject, verbs, name, callers):
        deal_memory(inject, verbs[name], callers)

    @pytest.mark.parametrize("name, callers", EACH)
    @pytest.mark.parametrize("kind", KINDS)
    def test_transfers(inject, verbs, name, callers, kind):
        deal_transfers(inject, verbs[name], callers, kind)
else:
    def test_some_of_everything(inject, verbs):
        for name, callers in SAMPLE:
            deal_memory(inject, verbs[name], callers)
        for name, callers, kind in (("once", "libpq", "ECONNRESET:"), ("once", "hiredis", "ECONNRESET:"), ("push", "pgusher", "short:")):
            deal_transfers(inject, verbs[name], callers, kind)
