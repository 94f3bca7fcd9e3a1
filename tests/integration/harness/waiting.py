"""The only place where the tests wait. Nothing else may sleep."""
import time

import pytest


def until(condition, seconds=10.0, what=None, every=0.01):
    """The first true value of condition(); fails the test after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            detail = what() if callable(what) else what
            pytest.fail(f"not within {seconds} s: {detail or condition.__name__}", pytrace=True)
        time.sleep(every)


def stays(condition, seconds, what=None, every=0.05):
    """Fails the test as soon as condition() is false within so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not condition():
            detail = what() if callable(what) else what
            pytest.fail(f"did not stay so for {seconds} s: {detail or condition.__name__}")
        time.sleep(every)
