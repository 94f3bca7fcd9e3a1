"""A schedule is drawn wholly from its seed."""
import paths  # noqa: F401 makes the others importable

from faults import weights
from schedule import draw


def test_the_same_seed_draws_the_same():
    assert draw(7, 600, weights()) == draw(7, 600, weights())
    assert draw(7, 600, weights()) != draw(8, 600, weights())


def test_a_longer_run_begins_as_a_shorter_one():
    assert draw(7, 3600, weights()).rounds[:5] == draw(7, 600, weights()).rounds[:5]


def test_every_fault_strikes_and_lanes_overlap():
    rounds = draw(7, 7200, weights()).rounds
    struck = {(strike.lane, strike.kind) for one in rounds for strike in one.strikes}
    assert struck == {(lane, kind) for lane, kinds in weights().items() for kind in kinds}
    together = [(a, b) for one in rounds for a in one.strikes for b in one.strikes
                if a.lane < b.lane and a.at < b.at + b.hold and b.at < a.at + a.hold]
    assert len(together) > 100
