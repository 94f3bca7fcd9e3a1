"""A private Prometheus on a loopback port, and what docs/monitoring says to it."""
import http.client
import json
import os
import re
import shutil
import signal

from .ports import free_ports
from .processes import end, spawn
from .programs import ROOT
from .waiting import until

FOLDER = os.path.join(ROOT, "docs", "monitoring")
METRIC = re.compile(r"\b(?:pgusher|process)_[a-z_]+\b")

CONFIGURATION = """\
global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: [{rules}]
scrape_configs: [{{ job_name: pgusher, static_configs: [{{ targets: [{targets}] }}] }}]
"""


def document(name):
    with open(os.path.join(FOLDER, name)) as file:
        return file.read()


def families(expression):
    """The metrics that an expression names; those of a histogram have one name."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in METRIC.findall(expression)}


def impatient(rules):
    """The rules, as if what they are about had lasted long enough."""
    return re.sub(r"^( +for:) .*$", r"\1 1s", rules, flags=re.M)


class Prometheus:
    def __init__(self, folder, targets, rules):
        self.folder = folder
        self.process = None
        self.port, = free_ports(1)
        os.mkdir(folder)
        self.write("alerts.yml", rules)
        self.write("prometheus.yml", CONFIGURATION.format(rules=os.path.join(folder, "alerts.yml"),
                                                          targets=", ".join(f"'{target}'" for target in targets)))

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as file:
            file.write(text)

    @property
    def log(self):
        with open(os.path.join(self.folder, "log")) as file:
            return file.read()

    def start(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = spawn(["prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
                                  f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"], log)
        until(self.is_up, 30, lambda: f"Prometheus answers: {self.log[-2000:]}")

    def is_up(self):
        assert self.process.poll() is None, self.log[-2000:]
        try:
            return self.ask("/api/v1/status/buildinfo")
        except (ConnectionRefusedError, json.JSONDecodeError):
            return False

    def ask(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())["data"]
        finally:
            connection.close()

    def scraped(self):
        """The targets that have answered at least once, by their health."""
        return [target["health"] for target in self.ask("/api/v1/targets")["activeTargets"] if target["lastScrape"][:4] != "0001"]

    def firing(self):
        return {alert["labels"]["alertname"]: alert for alert in self.ask("/api/v1/alerts")["alerts"] if alert["state"] == "firing"}

    def remove(self):
        if self.process:
            end(self.process, signal.SIGKILL)
        shutil.rmtree(self.folder)
