"""A small shop on a machine: PostgreSQL, Redis with a password, and pgusher as its packages install it."""
import glob
import json
import os
import shlex

from harness.processes import run
from harness.programs import BUILD, ROOT
from harness.waiting import until

SECRET = "a-password-that-is-seen-nowhere"
CONFIG = {
    "postgres": "host=/run/postgresql dbname=box_office",
    "redis": {"url": "redis://127.0.0.1:6379", "password_file": "${CREDENTIALS_DIRECTORY}/redis"},
    "canary": "off",
    "projections": {"event": {"source": "event", "id": "id", "key": "event:{id}", "queues": ["{search}"], "watch": {"event": "id"}}},
    "queues": {"{search}": {"lease": "2 s"}},
}
WORKER = "pgusherd@1.service"
# So that tests need not wait for as long as people would.
FASTER = "[Service]\nWatchdogSec=4s\nTimeoutAbortSec=1s\nTimeoutStartSec=2s\nRestartSec=200ms\n"


class Shop:
    def __init__(self, machine, packages):
        self.machine = machine
        self.packages = packages

    # setting up

    def install(self):
        names = [os.path.basename(path) for path in self.packages]
        for path in self.packages:
            self.machine.root.copy(path, "/root/")
        return self.machine.run(f"cd /root && dpkg -i {' '.join(names)}")

    def set_up(self):
        self.install().must()
        self.machine.run(f"redis-cli CONFIG SET requirepass {SECRET} && redis-cli -a {SECRET} CONFIG REWRITE").must()
        self.machine.root_write("/etc/pgusher/credentials/redis", SECRET + "\n", 0o640, "root:pgusher")
        self.configure()
        self.machine.run("createuser pgusher && createdb -O pgusher box_office", user="postgres").must()
        self.pgusher_sql("CREATE TABLE event (id bigint PRIMARY KEY, name text); INSERT INTO event SELECT g, 'Event ' || g FROM generate_series(1, 200) g")
        self.machine.run("pgusher install", user="pgusher").must()
        self.machine.set_unit("pgusherd@.service", FASTER)

    def configure(self, **more):
        self.machine.root_write("/etc/pgusher/pgusher.json", json.dumps({**CONFIG, **more}), 0o640, "root:pgusher")

    # asking

    def pgusher_sql(self, text):
        return self.machine.run(f"psql -XAtq -v ON_ERROR_STOP=1 -d box_office -c {shlex.quote(text)}", user="pgusher").must()

    def redis(self, *words):
        return self.machine.run(f"redis-cli --no-auth-warning -a {SECRET} " + " ".join(map(shlex.quote, words))).must()

    def traffic(self, statement, times):
        """Runs it so often in the background, $i counting, for some 20 ms each."""
        statements = f"(for i in $(seq {times}); do echo \"{statement}; SELECT pg_sleep(0.02);\"; done)"
        self.machine.run(f"{statements} | psql -qXAtd box_office >/dev/null 2>&1 &", user="pgusher").must()

    def name(self, event=1):
        return self.redis("HGET", f"event:{event}", "name")

    def rename(self, name, event=1):
        self.pgusher_sql(f"UPDATE event SET name = '{name}' WHERE id = {event}")

    def follows(self, name, seconds=20):
        """A change arrives."""
        self.rename(name)
        until(lambda: self.name() == name, seconds, lambda: f"event:1 is named {name}, not {self.name()}; {self.status()}")

    def status(self, unit=WORKER):
        return self.machine.show(unit, "StatusText")

    def state(self, unit=WORKER):
        return self.machine.show(unit, "ActiveState")

    def pid(self, unit=WORKER):
        return int(self.machine.show(unit, "MainPID"))

    def restarts(self, unit=WORKER):
        return int(self.machine.show(unit, "NRestarts"))

    def until_active(self, unit=WORKER, seconds=30):
        until(lambda: self.state(unit) == "active", seconds, lambda: f"{unit} is active: {self.machine.journal(unit)[-2000:]}", every=0.05)

    def until_restarted(self, pid, unit=WORKER, seconds=30):
        until(lambda: self.pid(unit) not in (0, pid), seconds, lambda: f"{unit} has another process: {self.status(unit)}", every=0.05)
        self.until_active(unit)

    def until_status(self, words, unit=WORKER, seconds=30):
        until(lambda: words in self.status(unit), seconds, lambda: f"{words} in the status of {unit}: {self.status(unit)}", every=0.05)

    def in_step(self):
        self.machine.run("pgusher verify", user="pgusher").must()


def packages_in(folder):
    """Those that a host needs."""
    found = glob.glob(os.path.join(folder, "pgusher*.deb"))
    assert len(found) == 2, found
    return sorted(found)


def later_packages(folder):
    """The same programs under a later version, in this folder."""
    done = run([os.path.join(ROOT, "systemd/debian/build.sh"), os.path.join(BUILD, "stage"), folder, "9.9"])
    assert done.returncode == 0, done.stderr.decode()
    return packages_in(folder)
