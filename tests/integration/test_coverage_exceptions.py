"""tests/coverage/exceptions.txt speaks of lines that are there."""
import os
import sys

from harness.programs import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests/coverage"))

import report  # noqa: E402


def test_each_line_is_there_and_has_a_reason():
    found = report.exceptions()
    assert found
    for name, text, reason in found:
        assert text in report.source(name), f"{name} has no line: {text}"
        assert len(reason) > 10
