"""Makes a failing round smaller while it goes on failing for the same reason, for so many seconds; and prints it."""
import copy
import json
import time


class Shrinker:
    def __init__(self, round_, kind, run, seconds=90):
        """run(round) gives the kind of its failure, or None."""
        self.round, self.kind, self.run = round_, kind, run
        self.deadline = time.monotonic() + seconds

    def late(self):
        return time.monotonic() > self.deadline

    def shrunk(self):
        for projection in list(self.round.projections):
            self.attempt(projections=[projection])
        self.attempt(triggers=[])
        self.attempt(database=[])
        self.attempt(workers=1, settings={**self.round.settings, "partitions": 1})
        for name in ("steps", "ddl", "triggers"):
            self.thin(name)
        return self.round

    def attempt(self, **changes):
        smaller = copy.copy(self.round)
        vars(smaller).update(changes)
        if self.late() or self.run(smaller) != self.kind:
            return False
        self.round = smaller
        return True

    def thin(self, name):
        """Leaves out halves, quarters … single ones."""
        size = len(getattr(self.round, name)) // 2
        while size and not self.late():
            at = 0
            while at < len(getattr(self.round, name)):
                whole = getattr(self.round, name)
                if not self.attempt(**{name: whole[:at] + whole[at + size:]}):
                    at += size
            size //= 2


def script(round_):
    """All of a round, to be read."""
    lines = [f"{statement};" for statement in [*round_.ddl, *round_.triggers]]
    lines += [f"{statement};" for each in round_.projections for statement in each.ddl]
    lines += [f"-- the database: {setting}" for setting in round_.database]
    config = {"projections": {each.name: each.config for each in round_.projections}, **round_.settings}
    lines.append(json.dumps(config, indent=1, ensure_ascii=False))
    lines += [f"-- {step.kind} by {step.session}\n{step.text}" for step in round_.steps]
    return "\n".join(lines)
