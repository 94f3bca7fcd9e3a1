"""A server is lost at each question that a program asks, or refuses it with an error that it may give at any time, one after the other: the
program says so and ends, or goes on without; asked once more it does all. LOST=whole does so to every question, else to one in several,
others each day."""
import datetime
import os

import pytest

from harness import refusals, ticketing
from harness.programs import run_program
from harness.relay import Relay

EVERY = 1 if os.environ.get("LOST") == "whole" else 3
NOT_SO, NO_SERVICE, MISTAKEN = 1, 69, 78  # the first while changes wait that no worker has applied
REFUSE = {"PostgreSQL": refusals.postgres("53100"), "Redis": refusals.redis("ERR")}
RUNS = {
    "install": ["install"], "check": ["check"], "backfill": ["backfill"], "dry": ["backfill", "--dry-run"], "verify": ["verify", "--repair"],
    "status": ["status"], "explain": ["explain", "ticket", "1"], "list": ["quarantine", "list"], "retry": ["quarantine", "retry"],
    "forget": ["quarantine", "drop"], "fleets": ["fleet", "list"], "fleet": ["fleet", "drop", "default"], "uninstall": ["uninstall"], "init": ["init", "--print", "event"], "once": ["pgusherd"],
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
    usual = run(box, words).must((0, NOT_SO))
    return road.questions, usual.code


def numbers(count):
    return range(1 + datetime.date.today().toordinal() % EVERY, count + 1, EVERY)


@pytest.mark.parametrize("server", ["PostgreSQL", "Redis"])
@pytest.mark.parametrize("words", RUNS.values(), ids=RUNS)
def test_each_is_lost(tickets, roads, server, words):
    tickets.install()
    tickets.once()
    count, usual = count_questions(tickets, roads[server], words)
    for number in numbers(count):
        change(tickets, words, number)
        roads[server].lose_question(number)
        result = run(tickets, words)
        assert result.code in (usual, NOT_SO, NO_SERVICE), result
        assert result.code != NO_SERVICE or server in result.text and "not connected" not in result.text, result
    is_right_after_all(tickets, roads[server], words, usual)


@pytest.mark.parametrize("server", ["PostgreSQL", "Redis"])
@pytest.mark.parametrize("words", RUNS.values(), ids=RUNS)
def test_each_is_refused(tickets, roads, server, words):
    tickets.install()
    tickets.once()
    count, usual = count_questions(tickets, roads[server], words)
    for number in numbers(count):
        change(tickets, words, number)
        roads[server].replace_question(number, REFUSE[server])
        result = run(tickets, words)
        assert result.code in (usual, NOT_SO, NO_SERVICE, MISTAKEN), result
        assert result.code in (usual, NOT_SO) or refusals.REFUSED in result.text, result
    is_right_after_all(tickets, roads[server], words, usual)


@pytest.mark.parametrize("words", RUNS.values(), ids=RUNS)
def test_odd_answers(tickets, roads, words):
    """Of a Redis that is none: it has to end, and by itself."""
    tickets.install()
    tickets.once()
    count, _ = count_questions(tickets, roads["Redis"], words)
    for number in numbers(count):
        change(tickets, words, number)
        shape = refusals.SHAPES[(number + datetime.date.today().toordinal()) % len(refusals.SHAPES)]
        roads["Redis"].replace_question(number, refusals.redis_says(shape))
        result = run(tickets, words)
        assert result.code in (0, NOT_SO, NO_SERVICE, MISTAKEN), (shape, result)
    roads["Redis"].lose_question()


def change(box, words, number):
    box.install() if words[0] in ("uninstall", "fleet") else None
    box.db.sql("UPDATE event SET name = name || '.'; DELETE FROM ticket WHERE id = %s", number)


def is_right_after_all(box, road, words, usual):
    road.lose_question()
    box.install()
    box.once()
    box.in_step()
    assert run(box, words).code == usual
