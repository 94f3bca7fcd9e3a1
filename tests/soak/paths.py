"""Makes the harness of the integration tests and the fault table importable; every program here imports it first."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)

sys.dont_write_bytecode = True
for _folder in ("fault", "integration"):
    sys.path.insert(1, os.path.join(TESTS, _folder))

os.environ.setdefault("EVENTS", "1000")  # of the fault table's beds
