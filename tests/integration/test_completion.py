"""Completion in bash: what is offered for a line, asked of bash itself."""
import json
import os
import shlex

import pytest

from harness.processes import run
from harness.programs import BUILD, ROOT

SCRIPT = os.path.join(ROOT, "systemd", "pgusher.bash-completion")


@pytest.fixture(scope="module")
def config(workspace):
    path = os.path.join(workspace, "completed.json")
    with open(path, "w") as file:
        json.dump({"projections": {"event": {"queues": ["{search}"]}, "ticket": {"queues": "{mail}"}},
                   "queues": {"{audit log}": {}}}, file)
    return path


def offered(words, config):
    """What bash would offer after the Tab key; the last word is the one that is being typed."""
    line = " ".join(shlex.quote(word) for word in words)
    script = (f"source {SCRIPT}; COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1));"
              f" _pgusher {words[0]}; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
    done = run(["env", f"PATH={BUILD}:{os.environ['PATH']}", f"PGUSHER_CONFIG={config}", "bash", "-c", script])
    assert not done.stderr, done.stderr.decode()
    return done.stdout.decode().split("\n")[:-1]


@pytest.mark.parametrize("words, expected", [
    (["pgusher", "v"], ["verify"]),
    (["pgusher", "un"], ["uninstall"]),
    (["pgusher", "explain", ""], ["event", "ticket"]),
    (["pgusher", "backfill", "event", "t"], ["ticket"]),
    (["pgusher", "--fleet", "blue", "verify", "--s"], ["--sample"]),
    (["pgusher", "quarantine", ""], ["drop", "list", "retry"]),
    (["pgusher", "quarantine", "drop", "e"], ["event"]),
    (["pgusherd", "--o"], ["--once"]),
    (["pgusherd", "--log-level", "w"], ["warn"]),
    (["pgusher-queue", "re"], ["recover", "replay", "resume"]),
    (["pgusher-queue", "consume", ""], [r"\{audit\ log\}", r"\{mail\}", r"\{search\}"]),
    (["pgusher-queue", "stats", "{s"], [r"\{search\}"]),
    (["pgusher-queue", "consume", "{search}", "--b"], ["--batch"]),
    (["pgusher-queue", "list", ""], [""]),
], ids=lambda words: " ".join(words))
def test_offered(words, expected, config):
    assert sorted(offered(words, config)) == sorted(expected)


def test_a_configuration_that_is_not_there_offers_nothing():
    assert offered(["pgusher", "explain", ""], "/nonexistent") == [""]


def test_the_configuration_of_the_line_counts(config):
    assert offered(["pgusher", "-c", config, "explain", "e"], "/nonexistent") == ["event"]


@pytest.mark.parametrize("program", ["pgusher", "pgusherd", "pgusher-queue"])
def test_bash_knows_the_programs(program):
    done = run(["bash", "-c", f"source {SCRIPT}; complete -p {program}"])
    assert b"-F _pgusher " in done.stdout
