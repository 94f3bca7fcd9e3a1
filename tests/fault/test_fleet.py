"""Workers come and go under load: how evenly, how fast, and how stale documents get meanwhile."""
import time

import pytest

from measures import percentile, spread

KILLS = 12


def test_takeover(stage, report):
    """kill -9 of one of four: how long until another owns its partitions, and how stale their documents were."""
    stage = stage()
    owned = []
    with stage as scene:
        scene.start_load()
        scene.rest(1)
        for _ in range(KILLS):
            owned.append(takeover(scene))
    stage.result.check()
    stale = stage.result.probe["spans"][1::2]
    report(f"takeover after kill -9, {KILLS} times: owned again after {spread(owned)}; documents stale {spread(stale)}")
    assert percentile(owned, 0.5) < 1 and percentile(stale, 0.5) < 1


def takeover(scene):
    """Seconds from the kill of a worker until all of its partitions have another owner."""
    before = set(scene.owners.owners.values())
    scene.probe.mark()
    began = time.monotonic()
    scene.dice.choice(scene.workers).kill()
    scene.until(lambda: before - set(scene.owners.owners.values()) and scene.owners.all_owned(), 10, "all partitions have an owner")
    seconds = time.monotonic() - began
    scene.rest(0.5)
    scene.probe.mark()
    scene.start_workers(1)
    scene.until(lambda: scene.owners.even(4), 5, "partitions are spread over four")
    return seconds


def test_rolling_restart(stage, report):
    """Each of four is ended and started again: no document staler than a second."""
    stage = stage()
    with stage as scene:
        scene.start_load()
        scene.rest(1)
        for worker in scene.workers:
            worker.stop()
            scene.start_workers(1)
            scene.until(lambda: scene.owners.even(4), 5, "partitions are spread over four")
    stage.result.check()
    report(f"rolling restart of four: no document staler than {stage.result.staleness:.3f} s, no partition without an owner for more "
           f"than {stage.result.orphaned:.3f} s; commit to hash p50 {percentile(stage.result.probe['seen'], 0.5):.3f} s")
    assert stage.result.staleness <= 1


@pytest.mark.parametrize("busy", (False, True), ids=("at rest", "under load"))
def test_spread(stage, report, busy):
    """One to five workers: within 2 s of one coming or going each has its fair share."""
    stage = stage(workers=1)
    seconds = []
    with stage as scene:
        if busy:
            scene.start_load()
        for count in range(2, 6):
            scene.start_workers(1)
            seconds.append(until_even(scene, count))
        for count, leave in zip(range(4, 0, -1), (lambda one: one.stop(), lambda one: one.kill()) * 2):
            leave(scene.dice.choice(scene.workers))
            seconds.append(until_even(scene, count))
        if not busy:
            scene.start_load()
            scene.rest(1)
    stage.result.check()
    report(f"one to five workers and back, {'under load' if busy else 'at rest'}: even after {spread(seconds)}")


def until_even(scene, count):
    began = time.monotonic()
    scene.until(lambda: scene.owners.even(count), 2, f"partitions are spread over {count}, not {scene.owners.shares()}")
    return time.monotonic() - began
