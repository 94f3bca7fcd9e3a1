"""make check-distros: the whole of `make check`, as a fresh machine of another release or with another compiler or server would run it.

Each release is a root that debootstrap makes (rootfs.sh), to which tests/deps.sh adds what it finds missing, as it does for a user, and
which is kept. A row runs the sources of the last commit in a layer over it that is thrown away, and becomes a line of the matrix:

    distros.py [--write FILE] [ROW…]        --write replaces the lines of these rows in FILE and leaves the others
"""
import argparse
import datetime
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from typing import NamedTuple

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))

from harness.processes import spawn  # noqa: E402
from harness.programs import BUILD, ROOT  # noqa: E402
from machine import HERE, Unavailable, rootfs  # noqa: E402

LOGS = os.path.join(BUILD, "distros")
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pgusher-system")
SOURCES = "/root/pgusher"
HOURS = 2


class Row(NamedTuple):
    name: str
    suite: str
    compiler: str = "gcc"
    server: str = "redis"


ROWS = [
    Row("debian-12", "bookworm"),
    Row("debian-12-clang", "bookworm", compiler="clang"),
    Row("debian-13", "trixie"),
    Row("debian-13-valkey", "trixie", server="valkey"),
    Row("debian-13-clang", "trixie", compiler="clang"),
    Row("debian-sid", "sid"),
    Row("debian-sid-valkey", "sid", server="valkey"),
]

# Beside what tests/deps.sh brings: git and make, and what only skips a test where it is missing.
MORE = ["git", "make", "openssl", "iproute2", "systemd", "mandoc", "clang"]
VALKEY = ["valkey-server", "valkey-tools"]
HAVE_VALKEY = {"trixie", "sid"}

NAME_VALKEY_REDIS = "for name in server cli; do ln -s $(command -v valkey-$name) /usr/local/bin/redis-$name; done"

TELL_VERSIONS = r"""
. /etc/os-release; echo "system: $PRETTY_NAME"
echo "compiler: $1 $($1 -dumpversion)"
echo "postgresql: $(/usr/lib/postgresql/*/bin/postgres --version | sed 's/^[^)]*) \([0-9.]*\).*/\1/')"
echo "server: $(redis-server --version | sed 's/^\([A-Za-z]*\).* v=\([0-9.]*\).*/\1 \2/')"
echo "hiredis: $(pkg-config --modversion hiredis)"
"""

HEAD = """\
# Tested on

The whole of `make check`, run by `make check-distros` in a fresh root of that system. The sanitizers, fuzzers and long runs are not part of it.

| row | system | compiler | PostgreSQL | server | hiredis | passed | failed | skipped | minutes | on |
|---|---|---|---|---|---|---|---|---|---|---|
"""


class Line(NamedTuple):
    """What came of a row."""
    row: str
    text: str
    right: bool


def enter(root, script, log, layer=None, *arguments):
    """A shell script inside a root; it ends when this program does. Returns the exit code."""
    argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "env", *([f"LAYER={layer}"] if layer else []),
            os.path.join(HERE, "enter.sh"), root, "sh", "-ec", script, "sh", *arguments]
    with open(log, "ab") as file:
        process = spawn(argv, file)
        try:
            return process.wait(HOURS * 3600)
        finally:
            process.kill()
            process.wait()


def packages(suite):
    return MORE + (VALKEY if suite in HAVE_VALKEY else [])


def recipe(suite):
    """What the kept root depends on."""
    with open(os.path.join(ROOT, "tests", "deps.sh"), "rb") as file:
        return f"{zlib.crc32(file.read() + ' '.join(packages(suite)).encode()):x}"


def prepared(suite):
    """The root of a release with all that `make check` needs, made once."""
    root = os.path.join(CACHE, f"{suite}-check-{recipe(suite)}")
    bare = rootfs(suite, "bare")
    with open(os.path.join(CACHE, f"lock-{suite}-check"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(root):
            prepare(suite, bare, root)
    return root


def prepare(suite, bare, root):
    new, log = root + ".new", os.path.join(CACHE, f"{suite}-check.log")
    shutil.rmtree(new, ignore_errors=True)
    subprocess.run(["cp", "-a", bare, new], check=True)
    shutil.copy(os.path.join(ROOT, "tests", "deps.sh"), new + "/deps.sh")
    with open(new + "/usr/sbin/policy-rc.d", "w") as file:  # nothing is started by being installed
        file.write("#!/bin/sh\nexit 101\n")
        os.chmod(file.fileno(), 0o755)
    with open(new + "/etc/apt/apt.conf.d/99old", "w") as file:  # a mirror may be a snapshot
        file.write('Acquire::Check-Valid-Until "false";\n')
    open(log, "w").close()
    more = "DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \"$@\""
    code = enter(new, f"apt-get update -qq; /deps.sh; {more}; apt-get clean", log, None, *packages(suite))
    if code:
        shutil.rmtree(new)
        raise Unavailable(f"the packages of {suite} cannot be had: {log}")
    os.rename(new, root)




def summary(log):
    """What tests/run.sh says at its end: passed, failed, skipped; None where it did not come so far."""
    with open(log, errors="replace") as file:
        found = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", file.read(), re.MULTILINE)
    return found[-1] if found else None


def versions(log):
    with open(log, errors="replace") as file:
        return dict(re.findall(r"^(system|compiler|postgresql|server|hiredis): (.+)$", file.read(), re.MULTILINE))


def run_row(row, command):
    log = os.path.join(LOGS, row.name + ".log")
    open(log, "w").close()
    root = prepared(row.suite)
    layer = tempfile.mkdtemp(prefix="pgusher-")
    os.chmod(layer, 0o755)
    began = time.monotonic()
    try:
        subprocess.run(["git", "clone", "-q", "--no-hardlinks", ROOT, layer + "/upper" + SOURCES], check=True)
        other = NAME_VALKEY_REDIS if row.server == "valkey" else ":"
        code = enter(root, f"{other}\n{TELL_VERSIONS}\ncd {SOURCES} && CC=$1 nice -n 10 {command}", log, layer, row.compiler)
    finally:
        shutil.rmtree(layer, ignore_errors=True)
    return line(row, log, code, (time.monotonic() - began) / 60)


def line(row, log, code, minutes):
    found, counts = versions(log), summary(log)
    words = [found.get(name, "?") for name in ("system", "compiler", "postgresql", "server", "hiredis")]
    words += counts or ["-", "did not end" if code else "-", "-"]
    text = "| " + " | ".join(str(word) for word in [row.name, *words, f"{minutes:.0f}", datetime.date.today()]) + " |"
    return Line(row.name, text, code == 0)


def write(path, lines):
    """Replaces the lines of these rows; in the order of ROWS."""
    kept = {}
    if os.path.exists(path):
        with open(path) as file:
            kept = {text.split("|")[1].strip(): text.rstrip("\n") for text in file if text.startswith("| ")}
    kept.update({one.row: one.text for one in lines})
    with open(path, "w") as file:
        file.write(HEAD + "".join(kept[row.name] + "\n" for row in ROWS if row.name in kept))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", metavar="FILE")
    parser.add_argument("--command", default="make -j2 check", help="instead of make check, to look at one test")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(row.name for row in ROWS))
    given = parser.parse_args()
    unknown = set(given.rows) - {row.name for row in ROWS}
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(row.name for row in ROWS)}")
    return given


def main():
    given = arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if os.geteuid() != 0:
        sys.exit("make check-distros needs root: it mounts, and enters roots that it makes")
    os.makedirs(LOGS, exist_ok=True)
    lines = []
    for row in ROWS:
        if given.rows and row.name not in given.rows:
            continue
        print(f"{row.name}: {LOGS}/{row.name}.log", flush=True)
        try:
            lines.append(run_row(row, given.command))
        except Unavailable as why:
            print(f"{row.name} is left out: {why}")
    print(HEAD.split("\n\n")[-1] + "\n".join(one.text for one in lines))
    if given.write:
        write(given.write, lines)
    return 0 if lines and all(one.right for one in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
