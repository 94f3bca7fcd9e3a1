"""A private redis-server, and programs that take turns at it (turn.h)."""
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
from harness.redis_server import RedisServer  # noqa: E402 (its folder must be known first)

PROGRAMS = os.path.join(os.environ["PGUSHER_BUILD"], "bench")
LIMIT_S = 30  # of one turn


@contextlib.contextmanager
def private_redis():
    """Without persistence, in a folder of its own; both are gone afterwards."""
    folder = tempfile.mkdtemp(prefix="pgusher-bench.", dir="/tmp")  # short: a socket's path has 107 bytes at most
    server = RedisServer(os.path.join(folder, "redis"))
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def pin(pid, cpus):
    """Every thread of the process."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), cpus)


def node_packages(*names):
    """The environment in which node finds them: fetched once into a cache, outside the tree. None without."""
    folder = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pgusher-bench")
    modules = os.path.join(folder, "node_modules")
    wanted = [name for name in names if not os.path.isdir(os.path.join(modules, name.partition("@")[0]))]
    if not shutil.which("node") or (wanted and not fetch(folder, wanted)):
        print(f"skipped: {names[0].partition('@')[0]}, which is not installed", file=sys.stderr)
        return None
    return {"NODE_PATH": modules}


def fetch(folder, packages):
    if not shutil.which("npm"):
        return False
    os.makedirs(folder, exist_ok=True)
    argv = ["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts", *packages]
    return subprocess.run(argv, capture_output=True, timeout=LIMIT_S, check=False).returncode == 0


def node_version(environment, package):
    with open(os.path.join(environment["NODE_PATH"], package, "package.json"), encoding="utf-8") as file:
        return json.load(file)["version"]


class Turn:
    """A contestant that is ready to start."""

    def __init__(self, argv, cpus=None, environment=None):
        self.process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env={**os.environ, **(environment or {})})
        self.what = " ".join(str(word) for word in argv)
        self.next_line()  # "ready"
        if cpus:
            pin(self.process.pid, cpus)

    def go(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def next_line(self):
        in_time = select.select([self.process.stdout], [], [], LIMIT_S)[0]
        line = in_time and self.process.stdout.readline()
        if not line:
            self.kill()
            raise RuntimeError(f"{'failed' if in_time else 'too slow'}: {self.what}")
        return line

    def found(self):
        """What it says; it may go on afterwards."""
        return json.loads(self.next_line())

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def finish(self):
        found = self.found()
        self.process.communicate(timeout=LIMIT_S)
        return found


def together(turns):
    """Starts them at once. How many items all of them did, and in how many seconds."""
    for turn in turns:
        turn.go()
    found = [turn.finish() for turn in turns]
    took = max(one["end"] for one in found) - min(one["start"] for one in found)
    return sum(one["count"] for one in found), took / 1e9


def redis_benchmark(server, count, *command):
    """Requests a second of redis-benchmark, one connection, 100 in a pipeline."""
    argv = ["redis-benchmark", "-s", server.socket, "-c", "1", "-P", "100", "-n", str(count), "--csv", *command]
    lines = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=LIMIT_S).stdout.splitlines()
    return float(lines[-1].split('","')[1])
