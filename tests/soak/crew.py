"""The programs under test in their places: workers and consumers. A place whose program was killed or ended is filled again."""
import json
import os
import sys

from harness.programs import BUILD, Daemon
from harness.queue import Consumer

from ledger import handler

HERE = os.path.dirname(os.path.abspath(__file__))
END_SECONDS = 120  # seconds that a program may take to end on SIGTERM; it need not be able to reach its servers
LEASE = "5s"


class Script(Consumer):
    """A consumer written in Python."""

    program = sys.executable


class Crew:
    """Places numbered from 0. spared: the place whose program is not to be ended for now."""

    def __init__(self, folder, size):
        self.folder = folder
        self.places = [None] * size
        self.spared = None
        self.started = 0
        os.mkdir(folder)

    def log_path(self):
        self.started += 1
        return os.path.join(self.folder, f"{self.started}.log")

    def alive(self):
        return [one for one in self.places if one and one.alive()]

    def mortal(self):
        return [one for number, one in enumerate(self.places) if one and one.alive() and number != self.spared]

    def fill(self):
        for number, one in enumerate(self.places):
            if not one or not one.alive():
                assert not one or one.ended, f"{one.argv} ended by itself with {one.process.returncode}:\n{one.log[-3000:]}"
                self.places[number] = self.start(number)

    def deserters(self):
        """Those that ended without having been told to."""
        return [one for one in self.places if one and one.died()]

    def logs(self):
        for name in sorted(os.listdir(self.folder), key=lambda name: int(name.split(".")[0])):
            yield os.path.join(self.folder, name)

    def end(self):
        for one in self.alive():
            one.stop(END_SECONDS)

    def kill(self):
        for one in self.alive():
            one.kill()


class Workers(Crew):
    """Each place has a configuration of its own: how its worker reaches the servers."""

    def __init__(self, folder, configs):
        super().__init__(folder, len(configs))
        self.configs = configs
        for number in range(len(configs)):
            self.write(number, json.dumps(configs[number]))

    def path(self, number):
        return os.path.join(os.path.dirname(self.folder), f"{os.path.basename(self.folder)}{number}.json")

    def write(self, number, text):
        with open(self.path(number), "w") as file:
            file.write(text)

    def start(self, number):
        return Daemon(self.log_path(), "-c", self.path(number))


class Consumers(Crew):
    """Two of pgusher-queue consume, one in Python."""

    def __init__(self, folder, url, queue, ledger):
        super().__init__(folder, 3)
        self.url, self.queue, self.ledger = url, queue, ledger

    def start(self, number):
        ledger = self.ledger.path(str(number))
        if number == 2:
            return Script(self.log_path(), "-B", os.path.join(HERE, "indexer.py"), self.url, self.queue, ledger, BUILD)
        return Consumer(self.log_path(), "--redis", self.url, "consume", self.queue, "--docs", "--exec", handler(ledger), "--batch", "50",
                        "--lease", LEASE, "--parallel", str(number + 1))
