"""Fixtures of the fault table, and the table itself at the end of the run. See README.md."""
import os
import shutil
import signal
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "integration"))

import pytest  # noqa: E402

from beds import Beds  # noqa: E402
from measures import Stage  # noqa: E402
from table import Result  # noqa: E402

lines = pytest.StashKey()


def pytest_configure(config):
    """A termination cleans up as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    config.stash[lines] = []


def pytest_terminal_summary(terminalreporter, config):
    if config.stash[lines]:
        terminalreporter.section("faults")
        terminalreporter.write_line(Result.HEAD)
        for line in config.stash[lines]:
            terminalreporter.write_line(line)


@pytest.fixture
def report(request):
    """Prints a line now, and once more in the table at the end."""
    capture = request.config.pluginmanager.get_plugin("capturemanager")

    def write(line):
        request.config.stash[lines].append(str(line))
        with capture.global_and_fixture_disabled():
            print(f"\n{line}", end="", flush=True)
    return write


@pytest.fixture
def tell(request):
    """Keeps logs, to be shown should the test fail."""
    def keep(sections):
        for title, text in sections:
            request.node.add_report_section("call", title, text)
    return keep


@pytest.fixture(scope="session")
def workspace():
    folder = tempfile.mkdtemp(prefix="pgf-")
    os.chmod(folder, 0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def beds(workspace):
    beds = Beds(workspace)
    try:
        yield beds
    finally:
        beds.remove()


@pytest.fixture
def stage(beds, tell, request):
    """Makes the Stage of a test that is not a cell of the table."""
    return lambda **more: Stage(beds, request.node.name, tell, **more)
