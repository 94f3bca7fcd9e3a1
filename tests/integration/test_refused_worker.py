"""Whatever a worker asks may be refused, or cost its connection, now and then, while all happens that it has to deal with; when that is over
all is in step, and it has never ended. LOST=whole goes on for longer."""
import json
import os
import urllib.error
import urllib.request

import pytest

from harness import refusals, ticketing
from harness.waiting import stays

from test_http_actions import BEARER, TOKEN
from test_lost_questions import REFUSE, roads  # noqa: F401 a fixture
from test_quarantine import BROKEN

OTHER = {"refused": REFUSE, "lost": dict.fromkeys(REFUSE), "full": {**REFUSE, "Redis": refusals.redis("OOM")}}
ROUNDS = 3 if os.environ.get("LOST") == "whole" else 1


def address(worker):
    """Of its page; None before it has said it."""
    return next((line.split("listening on ")[1].split(" ")[0].rstrip("\"") for line in worker.log.splitlines() if "listening on" in line), None)


def look(worker, *paths):
    for path in paths:
        asked = urllib.request.Request(f"http://{address(worker)}{path}", method="POST" if "?" in path else "GET", headers=BEARER)
        try:
            urllib.request.urlopen(asked, timeout=10).read()
        except urllib.error.HTTPError as answer:
            assert answer.code in (404, 500, 502, 503), (path, answer.code, answer.read())


def happen(box, worker):
    """One thing after the other."""
    whole = box.db.value("SELECT pg_get_viewdef('event_card'::regclass)")
    for number in range(ROUNDS):
        yield box.db.sql("UPDATE event SET name = name || '.'; DELETE FROM ticket WHERE id = %s", 1 + number)
        yield box.db.sql("ALTER VIEW ticket_card RENAME id TO number; UPDATE ticket SET price = price + 1")
        yield box.db.sql("ALTER VIEW ticket_card RENAME number TO id")
        yield box.db.sql(f"{BROKEN}; UPDATE event SET name = name || '!'")
        yield look(worker, "/", "/metrics", "/readyz", "/livez", "/retry?projection=event", "/replay?queue=%7Bsearch%7D")
        yield box.pgusher("quarantine", "retry").must((0, 1))
        yield box.db.sql(f"CREATE OR REPLACE VIEW event_card AS {whole}")
        yield box.pgusher("backfill").must((0, 1))
        yield worker.reload()
        yield box.db.sql("BEGIN; CREATE TEMP TABLE kept ON COMMIT DROP AS TABLE ticket; TRUNCATE ticket; INSERT INTO ticket TABLE kept; COMMIT")
        yield box.redis.client.flushall()
        yield box.db.sql("UPDATE event SET starts_at = CASE id WHEN %s THEN now() - interval '1 year' ELSE starts_at END", 4 + number)


def token(box):
    path = os.path.join(box.folder, "token")
    with open(path, "w") as file:
        file.write(TOKEN + "\n")
    return path


@pytest.fixture
def worker(tickets, roads):  # noqa: F811
    """One that goes by these roads, while the box's own commands go straight."""
    direct = tickets.path
    tickets.config.update(canary="1 s", verify={"every": "1 s", "sample": 10}, sweep="1 s",
                          http={"address": "127.0.0.1:0", "token_file": token(tickets)})
    tickets.path = tickets.path.replace(".json", "-worker.json")
    tickets.write(json.dumps(tickets.config))
    tickets.install()
    worker = tickets.start()
    tickets.path = direct
    tickets.use(ticketing.projections())
    worker.says("connected to PostgreSQL and Redis")
    tickets.until(lambda: address(worker), 10, "its page has an address")
    print({server: road.seed for server, road in roads.items()})
    return worker


def is_right_after_all(box, worker, roads):  # noqa: F811
    for road in roads.values():
        road.replace_some(0, None)
    box.until(lambda: not box.db.value("SELECT count(*) FROM pgusher.projection WHERE broken_at IS NOT NULL"), 60, "no projection is broken")
    box.until(lambda: not box.quarantined() and not box.differences(), 60, lambda: (box.quarantined(), box.differences()))
    box.in_step()
    assert worker.alive()


@pytest.mark.parametrize("one_in", [4, 12, 40])
@pytest.mark.parametrize("how", ["refused", "lost", "full"])
def test_all_is_right_after_all(tickets, roads, worker, how, one_in):  # noqa: F811
    for _ in happen(tickets, worker):
        for server, road in roads.items():
            road.replace_some(1 / one_in, OTHER[how][server])
        stays(worker.alive, 0.2)
    is_right_after_all(tickets, worker, roads)
    assert any(road.chosen for road in roads.values())


@pytest.mark.parametrize("shape", refusals.SHAPES)
def test_odd_answers(tickets, roads, worker, shape):  # noqa: F811
    """What the worker took for done may not be done; a Redis that forgets all is filled by it all the same."""
    for _ in happen(tickets, worker):
        roads["Redis"].replace_some(1 / 12, refusals.redis_says(shape))
        stays(worker.alive, 0.2)
    roads["Redis"].replace_some(0, None)
    tickets.redis.client.flushall()
    is_right_after_all(tickets, worker, roads)
