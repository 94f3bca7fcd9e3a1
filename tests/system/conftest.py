"""Fixtures: the packages, and a machine that has them installed. See README.md."""
import os
import shutil
import signal
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "integration"))

import pytest  # noqa: E402

from harness.processes import run  # noqa: E402
from harness.programs import BUILD, ROOT, SANITIZED  # noqa: E402
from machine import Machine, Root, Unavailable, rootfs  # noqa: E402
from shop import Shop, WORKER, packages_in  # noqa: E402

NEEDED = ("debootstrap", "systemd-nspawn", "nsenter", "dpkg-deb", "dpkg-shlibdeps")


def pytest_configure(config):
    """A termination cleans up as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)


@pytest.fixture(scope="session")
def tools():
    missing = [name for name in NEEDED if not shutil.which(name)]
    if os.geteuid() != 0 or missing or SANITIZED:
        pytest.skip(f"a machine needs root, {', '.join(NEEDED)} and a plain build; missing: {', '.join(missing) or 'not these'}")
    return NEEDED


def own_suite():
    """The release that this machine runs: packages built here fit that one."""
    with open("/etc/os-release") as file:
        return next((line.split("=")[1].strip() for line in file if line.startswith("VERSION_CODENAME=")), "bookworm")


def make(goal, *settings):
    done = run(["make", "-s", "-C", ROOT, f"B={BUILD}", goal, *settings], seconds=600)
    assert done.returncode == 0, done.stderr.decode()[-2000:]


@pytest.fixture(scope="session")
def packages(tools):
    make("deb")
    return packages_in(os.path.join(BUILD, "deb"))


@pytest.fixture
def root(tools, tmp_path):
    """root(suite, kind): a root to write into."""
    made = []

    def new(suite, kind):
        try:
            made.append(Root(tempfile.mkdtemp(prefix="pgusher-"), rootfs(suite, kind)))
        except Unavailable as why:
            pytest.skip(str(why))
        return made[-1]
    yield new
    for one in made:
        one.remove()


@pytest.fixture(scope="module")
def machine(tools):
    folder = tempfile.mkdtemp(prefix="pgusher-")
    root = None
    try:
        root = Root(os.path.join(folder, "machine"), rootfs(own_suite(), "system"))
        machine = Machine(root, os.path.join(folder, "console"))
        try:
            machine.boot()
            yield machine
        finally:
            machine.off()
    except Unavailable as why:
        pytest.skip(str(why))
    finally:
        if root:
            root.remove()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def installed(machine, packages):
    """The shop, set up; no worker yet."""
    shop = Shop(machine, packages)
    shop.set_up()
    return shop


@pytest.fixture
def shop(installed):
    """The same, with one worker that is at rest."""
    installed.configure()
    installed.machine.run("systemctl start postgresql redis-server").must()
    installed.machine.run(f"systemctl start {WORKER}").must()
    yield installed
    installed.machine.run("systemctl stop 'pgusherd@*'")
