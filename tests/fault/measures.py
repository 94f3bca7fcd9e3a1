"""What the tests beside the table share: a scene with load on it, and percentiles."""
from dataclasses import dataclass

from beds import Bed
from scene import Scene
from table import Result, end_load, seed_of, settle


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(values):
    return f"p50 {percentile(values, 0.5):.3f} s p90 {percentile(values, 0.9):.3f} s max {max(values):.3f} s"


@dataclass
class Stage:
    """A scene that is set up and taken down, and the result of what is done on it."""
    beds: object
    name: str
    tell: object
    workers: int = 4
    bed: type = Bed
    settings: dict = None

    def __enter__(self):
        self.result = Result(self.name, "", seed_of())
        self.scene = Scene(self.beds.get(self.bed), self.workers, self.result.seed)
        self.scene.settings = self.settings or {}
        try:
            self.scene.prepare()
            self.scene.start_workers()
            self.scene.until_in_place()
        except BaseException:
            self.take_down()
            raise
        return self.scene

    def __exit__(self, kind, *_):
        try:
            if not kind:
                self.finish()
        except BaseException:
            kind = True
            raise
        finally:
            self.take_down()
            if kind:
                self.beds.discard(self.bed)

    def finish(self):
        if self.scene.load:
            end_load(self.scene, self.result)
        settle(self.scene, self.result)

    def take_down(self):
        self.tell(self.scene.story())
        self.scene.close()
