"""The systemd units as they are installed: well-formed, sandboxed, and gone again; tests/system boots them."""
import os
import shutil
import subprocess

import pytest

from harness.programs import ROOT
from harness.processes import run

MOST_EXPOSED = 15  # tenths; systemd's own units of comparable work have 50 to 90

pytestmark = [pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze here"),
              pytest.mark.skipif(subprocess.run(["pkg-config", "--exists", "libsystemd"]).returncode != 0,
                                 reason="built without libsystemd")]


def make(goal, place):
    done = run(["make", "-s", "-C", ROOT, f"B={os.environ.get('PGUSHER_BUILD') or 'build'}", f"PREFIX={place}", goal], seconds=300)
    assert done.returncode == 0, done.stderr[-1000:]


@pytest.fixture(scope="module")
def installed(workspace):
    place = os.path.join(workspace, "prefix")
    make("install", place)
    return place


def units(installed, kind=""):
    folder = os.path.join(installed, "lib/systemd/system")
    return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(kind))


def test_units_are_well_formed(installed):
    assert len(units(installed)) == 7
    done = run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *units(installed)])
    assert done.returncode == 0 and not done.stderr, done.stderr.decode()


def test_units_are_sandboxed(installed):
    services = units(installed, ".service")
    assert len(services) == 4
    for service in services:
        done = run(["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}", service])
        assert done.returncode == 0, done.stdout.decode()[-500:]


def test_services_leave_no_core(installed):
    for service in units(installed, ".service"):
        with open(service) as file:
            assert "\nLimitCORE=0\n" in file.read(), service


def test_nothing_is_left_to_be_substituted(installed):
    for unit in units(installed):
        with open(unit) as file:
            assert "@BINDIR@" not in (text := file.read()) and "@SANDBOX@" not in text and "\n@" not in text, unit


def test_uninstall_leaves_nothing(installed):
    make("uninstall", installed)
    assert not [name for _, _, names in os.walk(installed) for name in names]
    make("install", installed)
