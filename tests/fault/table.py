"""The table of rows (faults) and columns (what the fleet is doing when it strikes), its runner, and its lines."""
import os
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Callable

from harness import compare
from harness.programs import SLOWER
from tools.server import follow

from beds import Bed
from scene import DRAINED, LEAST, Scene

COLUMNS = ("idle", "mid-batch", "draining")
SECONDS = 60 * SLOWER  # within which every cell is caught up after its fault
ORPHANED = 3 * SLOWER  # seconds that a partition may have no owner while a worker is there

ROWS = []


@dataclass
class Row:
    """fault is a generator function of the scene: it strikes, yields, and mends. What follows its mending is measured."""
    name: str
    fault: Callable
    bed: type = Bed
    workers: int = 2
    hold: float = 1.0  # seconds between strike and mending
    before: Callable = None  # of the scene, before the workers are configured: relays, settings
    noticed: Callable = None  # of the scene: whether the fleet has seen what happened. Until then, being caught up says nothing.
    quick: str = None  # the column that stands for the row among all other tests
    covered: bool = True  # workers, PostgreSQL and Redis are there all the time: no partition may be orphaned
    wears: bool = False  # the bed cannot be used again


def row(name, **more):
    def register(fault):
        ROWS.append(Row(name, fault, **more))
        return fault
    return register


@dataclass
class Result:
    row: str
    column: str
    seed: int
    rate: float = 0
    caught_up: float = 0
    documents: int = 0
    differences: list = field(default_factory=list)
    outdated: list = field(default_factory=list)
    items: int = 0
    staleness: float = 0
    orphaned: float = 0
    backlog: int = 0
    notes: dict = field(default_factory=dict)
    load: dict = None
    probe: dict = None

    HEAD = (f"{'fault':<52} {'column':<10} {'changes/s':>9} {'behind':>7} {'caught up':>9} {'documents':>9} {'wrong':>6} "
            f"{'unqueued':>8} {'stale':>7} {'orphan':>7}")

    def __str__(self):
        notes = "".join(f"  {name} {value}" for name, value in self.notes.items())
        return (f"{self.row:<52} {self.column:<10} {self.rate:>9.0f} {self.backlog:>7} {self.caught_up:>7.2f} s {self.documents:>9} "
                f"{len(self.differences):>6} {len(self.outdated):>8} {self.staleness:>5.2f} s {self.orphaned:>5.2f} s{notes}")

    def right(self):
        return not self.differences and not self.outdated

    def kinds(self):
        """{projection and what became of the document: how many}"""
        return dict(Counter(line.split(":")[0] + " " + line.split(" ", 1)[1] for line in self.outdated))

    def check(self, covered=True):
        assert not self.differences, "\n".join(self.differences)
        assert not self.outdated, f"{len(self.outdated)} documents not queued after their last change: {self.kinds()} {self.outdated[:10]}"
        assert self.rate >= LEAST, f"only {self.rate:.0f} changes/s"
        assert not covered or self.orphaned <= ORPHANED, f"a partition had no owner for {self.orphaned:.2f} s"


# columns: bring the scene to where the fault strikes

def idle(scene):
    scene.start_workers()
    scene.until_in_place()
    scene.rest(0.3)


def mid_batch(scene):
    scene.start_workers()
    scene.until_in_place()
    scene.start_load()
    scene.rest(1 + scene.dice.random())


def draining(scene):
    before = scene.queued()
    scene.make_backlog()
    scene.start_load()
    scene.start_workers()
    scene.until(lambda: scene.queued() > before + DRAINED, 30, "the backlog is being drained")


STAGES = dict(zip(COLUMNS, (idle, mid_batch, draining)))


def seed_of():
    return int(os.environ.get("SEED") or random.SystemRandom().randint(1, 999_999))


def run_cell(bed, fault_row, column, tell):
    """One cell; what it found is to be checked by the caller. tell() gets the logs."""
    result = Result(fault_row.name, column, seed_of())
    scene = Scene(bed, fault_row.workers, result.seed)
    try:
        if fault_row.before:
            fault_row.before(scene)
        scene.prepare()
        STAGES[column](scene)
        strike_and_mend(scene, fault_row, result)
        measure(scene, fault_row, result)
        return result
    finally:
        tell(scene.story())
        scene.close()


def strike_and_mend(scene, fault_row, result):
    result.backlog = scene.unread()
    fault = fault_row.fault(scene)
    next(fault)
    if scene.load is None:
        scene.start_load()
    scene.rest(fault_row.hold)
    next(fault, None)


def measure(scene, fault_row, result):
    ended, upto = time.monotonic(), scene.snapshot()
    if fault_row.noticed:
        scene.until(lambda: fault_row.noticed(scene), SECONDS, "the fleet noticed")
    scene.until_caught_up(upto, SECONDS)
    result.caught_up = time.monotonic() - ended
    scene.rest(max(0, 2 - result.caught_up))
    end_load(scene, result)
    settle(scene, result)


def end_load(scene, result):
    result.load, result.probe = scene.load.finish(), scene.probe.finish()
    assert not result.load["failures"], result.load["failures"]
    result.rate, result.staleness = result.load["changes"] / result.load["seconds"], result.probe["staleness"]


def settle(scene, result):
    """When all is applied, all is compared; the workers end."""
    scene.until_caught_up(seconds=SECONDS)
    result.orphaned = scene.owners.orphaned
    follow(scene.bed.redis.client)
    result.differences = compare.differences(scene.db, scene.bed.redis.client, scene.box.config)
    result.documents = sum(scene.db.value(f"SELECT count(*) FROM {table}") for table in ("event", "ticket"))
    indexed = scene.indexer.finish()
    result.outdated, result.items = indexed["outdated"], indexed["items"]
    result.notes = scene.notes
    scene.end_workers()
    for restore in scene.after:
        restore(scene)
