"""A server is lost at each question that a program asks, one after the other: it says so and ends, or goes on without; asked once more it
does all. LOST=whole loses every question, else one in several, others each day."""
import datetime
import os

import pytest

from harness import ticketing
from harness.programs import run_program
from harness.relay import Relay

EVERY = 1 if os.environ.get("LOST") == "whole" else 3
NOT_SO, NO_SERVICE = 1, 69  # the first while changes wait that no worker has applied
RUNS = {
    "install": ["install"], "check": ["check"], "backfill": ["backfill"], "dry": ["backfill", "--dry-run"], "verify": ["verify", "--repair"],
    "status": ["status"], "explain": ["explain", "ticket", "1"], "list": ["quarantine", "list"], "retry": ["quarantine", "retry", "--all"],
    "fleets": ["fleet", "list"], "uninstall": ["uninstall", "--dry-run"], "init": ["init", "--print", "event"], "once": ["pgusherd"],
}


@pytest.fixture
def roads(tickets, workspace):
    """(PostgreSQL's, Redis's): whatever the programs ask goes through these."""
    postgres = Relay(f"{tickets.db.cluster.folder}/.s.PGSQL.5432")
    redis = Relay(tickets.redis.socket, os.path.join(workspace, "road"))
    tickets.use(ticketing.projections(), postgres=f"{postgres.conninfo} dbname={tickets.db.name} user=postgres", redis=redis.redis_url)
    yield {"PostgreSQL": postgres, "Redis": redis}
    tickets.stop()
    postgres.stop(), redis.stop()


def run(box, words):
    if words[0] == "pgusherd":
        return run_program("pgusherd", "-c", box.path, "--once")
    if words[0] == "init":
        return run_program("pgusher", *words, "--postgres", box.config["postgres"], "--redis", box.config["redis"])
    return box.pgusher(*words)


def count_questions(box, road, words):
    road.lose_question()
    usual = run(box, words)
    return road.questions, usual.code


@pytest.mark.parametrize("server", ["PostgreSQL", "Redis"])
@pytest.mark.parametrize("words", RUNS.values(), ids=RUNS)
def test_each(tickets, roads, server, words):
    tickets.install()
    tickets.once()
    count, usual = count_questions(tickets, roads[server], words)
    for number in range(1 + datetime.date.today().toordinal() % EVERY, count + 1, EVERY):
        tickets.db.sql("UPDATE event SET name = name || '.'; DELETE FROM ticket WHERE id = %s", number)
        roads[server].lose_question(number)
        result = run(tickets, words)
        assert result.code in (usual, NOT_SO, NO_SERVICE), result
        assert result.code != NO_SERVICE or server in result.text and "not connected" not in result.text, result
    roads[server].lose_question()
    tickets.once()
    assert run(tickets, words).code == usual
    tickets.in_step()
