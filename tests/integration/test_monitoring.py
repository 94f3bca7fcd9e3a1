"""docs/monitoring: the alert rules, the dashboard and the table of metrics fit what a worker tells, and an alert fires."""
import json
import os
import re
import shutil

import pytest

from harness import ticketing
from harness.http import Http
from harness.processes import run
from harness.programs import ROOT
from harness.prometheus import FOLDER, Prometheus, document, families, impatient
from harness.waiting import stays, until

ALERTS = document("alerts.yml")
BOARD = json.loads(document("grafana.json"))
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
with open(os.path.join(ROOT, "docs", "monitoring.md")) as page:
    PAGE = page.read()

needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed (package prometheus)")


def names_of_alerts(text=ALERTS):
    return re.findall(r"^ +- alert: (\w+)$", text, re.M)


def expressions():
    """Those of the rules: each begins with its key and goes on in lines that are further in."""
    return re.findall(r"^ {8}expr: (.*\n(?: {10}.*\n)*)", ALERTS, re.M)


def queries():
    return [target["expr"] for panel in PANELS for target in panel["targets"]]


def promtool(*arguments):
    done = run(["promtool", *arguments])
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


# what is told, and what is said of it

@pytest.fixture
def told(tickets):
    """{metric: (kind, names of labels)} of a worker that has something to say of everything."""
    tickets.ready(ticketing.projections(), http=":0", canary="1 s", verify={"every": "1 s"})
    tickets.db.sql("INSERT INTO pgusher.backfill (fleet, projection, reason, next_at) VALUES ('default', 'event', 'x', now() + interval '1 h')")
    tickets.db.sql("UPDATE pgusher.fleet SET cut_at = now()")
    served = Http(tickets.daemons[0])
    until(lambda: "pgusher_canary_latency_seconds{" in (text := served.text("/metrics")) and "pgusher_verify_age_seconds{" in text, 15, every=0.5)
    text = served.text("/metrics")
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))
    return {name: (kind, labels(text, name)) for name, kind in kinds.items()}


def labels(text, name):
    """None: there is no value."""
    values = re.findall(rf"^{name}(?:_bucket|_sum|_count)?(?:{{(.*)}})? ", text, re.M)
    return {label for value in values for label in re.findall(r'(\w+)="', value)} - {"le"} if values else None


def test_all_that_is_named_is_told(told):
    table = {name: (kind, set(re.findall(r"\w+", labels)))
             for name, kind, labels in re.findall(r"^\| `((?:pgusher|process)_\w+)` \| (\w+) \| ([^|]*) \|", PAGE, re.M)}
    assert set(table) == set(told), "the table of docs/monitoring.md"
    for name, (kind, found) in told.items():
        assert table[name][0] == kind and (found is None or table[name][1] == found), (name, kind, found)
    silent = {name for name, (_, found) in told.items() if found is None}
    assert silent <= {"pgusher_canary_waiting_seconds", "pgusher_backfill_expected_documents"}, "nothing was seen of these"
    for expression in (*expressions(), *queries()):
        assert families(expression) <= set(told), expression


# rules

def test_each_alert_is_explained_and_tested():
    names = names_of_alerts()
    assert len(names) == len(set(names)) == len(expressions()) > 25
    assert re.findall(r"^\| `(Pgusher\w+)`", PAGE, re.M) == names, "the table of docs/monitoring.md, in the order of the rules"
    assert set(re.findall(r'alertname="(\w+)"', document("alerts_test.yml"))) == set(names)
    for block in ALERTS.split("- alert: ")[1:]:
        assert re.search(r"severity: (critical|warning)\b", block) and "summary: " in block and "mend: " in block, block


def test_runbooks_lead_to_headings():
    def anchors(path):
        with open(os.path.join(ROOT, path)) as file:
            headings = re.findall(r"^#+ (.*)$", file.read(), re.M)
        return {f"{path}#" + re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    runbooks = re.findall(r"runbook: (\S+)", ALERTS)
    assert len(runbooks) == len(names_of_alerts())
    assert set(runbooks) <= anchors("docs/operations.md") | anchors("docs/monitoring.md")


@needs_promtool
def test_rules_are_valid_and_fire_when_they_should():
    promtool("check", "rules", os.path.join(FOLDER, "alerts.yml"))
    promtool("test", "rules", os.path.join(FOLDER, "alerts_test.yml"))


# the dashboard

def test_dashboard_is_whole():
    numbers = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(numbers)) == len(numbers)
    for panel in PANELS:
        assert panel["description"] and panel["fieldConfig"]["defaults"]["unit"] and panel["targets"], panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]), panel["title"]
    cells = [(x, y) for place in (panel["gridPos"] for panel in BOARD["panels"])
             for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])]
    assert len(set(cells)) == len(cells) and max(x for x, _ in cells) < 24, "panels lie upon each other, or outside"
    known = {variable["name"] for variable in BOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(BOARD)))
    assert used == known, "variables"


@needs_promtool
def test_queries_of_the_dashboard_are_valid(tmp_path):
    rules = [{"record": f"query_{number}", "expr": query.replace("$__rate_interval", "1m")} for number, query in enumerate(queries())]
    path = tmp_path / "queries.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", str(path))


# the real thing

@pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed (package prometheus)")
def test_an_alert_fires_when_the_worker_is_stopped(tickets, workspace):
    worker = tickets.ready(ticketing.projections(), http=":0")
    host, port = Http(worker).address
    prometheus = Prometheus(os.path.join(workspace, "prometheus"), [f"{host}:{port}"], impatient(ALERTS))
    try:
        prometheus.start()
        until(lambda: prometheus.scraped() == ["up"] and not prometheus.firing(), 15, lambda: prometheus.log)
        stays(lambda: not prometheus.firing(), 2, "all is well")
        worker.stop()
        until(lambda: "PgusherDown" in prometheus.firing(), 15, lambda: f"it fires: {prometheus.firing()}", every=0.1)
        alert = prometheus.firing()["PgusherDown"]
        assert alert["labels"]["severity"] == "critical" and "No worker of pgusher answers" in alert["annotations"]["summary"]
    finally:
        prometheus.remove()
