"""What will happen, drawn wholly from the seed before any of it does: rounds of a storm and a calm, and in each storm the faults.

Faults of one lane follow each other; lanes overlap. A fault that takes longer than drawn delays what follows it in its lane, so a
replay repeats every choice, not the microseconds.
"""
import random
from dataclasses import dataclass

STORM = (30, 75)  # seconds
SHORT_STORM = (11, 14)  # of a run of at most SHORT seconds
SHORT = 150
LEAST_CALM = 5
HOLD = (0.3, 5.0)
GAP = (0.5, 6.0)  # between faults of one lane
SETTINGS = {"look_back": ("5 s", "30 s", "2 min"), "redis_wait": (None, {"replicas": 1, "timeout": "200 ms"})}


@dataclass(frozen=True)
class Strike:
    at: float  # seconds from the beginning of the storm
    lane: str
    kind: str
    hold: float
    dice: int  # seed of what it chooses by itself

    def __str__(self):
        return f"{self.at:5.1f} s {self.lane}: {self.kind} for {self.hold:.1f} s"


@dataclass(frozen=True)
class Round:
    number: int
    seconds: float
    traffic: int  # seed of the writers
    spares: bool  # one worker is never ended in it: leaks show in who lives long
    strikes: tuple


@dataclass(frozen=True)
class Schedule:
    seed: int
    settings: dict  # of the configuration
    rounds: tuple


def draw(seed, seconds, lanes):
    """lanes: {lane: {kind: weight}}."""
    dice = random.Random(f"settings-{seed}")
    settings = {name: dice.choice(values) for name, values in SETTINGS.items()}
    length = SHORT_STORM if seconds <= SHORT else STORM
    rounds, filled = [], 0.0
    while filled < seconds:
        rounds.append(draw_round(seed, len(rounds), length, lanes))
        filled += rounds[-1].seconds + LEAST_CALM
    return Schedule(seed, {name: value for name, value in settings.items() if value}, tuple(rounds))


def draw_round(seed, number, length, lanes):
    dice = random.Random(f"round-{seed}-{number}")
    seconds = dice.uniform(*length)
    strikes = [strike for lane in sorted(lanes) for strike in draw_lane(dice, lane, lanes[lane], seconds)]
    return Round(number, seconds, dice.randrange(1 << 30), number % 4 != 3, tuple(sorted(strikes, key=lambda one: one.at)))


def draw_lane(dice, lane, kinds, seconds):
    """Some storms leave a lane alone, so that what one kind of fault breaks is not always mended by another's."""
    at = dice.uniform(0, GAP[1]) if dice.random() < 0.8 else seconds
    while at < seconds:
        kind = dice.choices(list(kinds), list(kinds.values()))[0]
        hold = dice.uniform(*HOLD)
        yield Strike(at, lane, kind, hold, dice.randrange(1 << 30))
        at += hold + dice.uniform(*GAP)
