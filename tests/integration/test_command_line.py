"""The command line of pgusher: what every verb has in common. No server is needed."""
import json
import os
import re
import shlex
import subprocess

import pytest

from harness.programs import path, run_program

SOURCE = os.path.join(os.path.dirname(__file__), "..", "..")

USAGE = run_program("pgusher", "--help").out
VERBS = re.findall(r"^  (\w+) +\S", USAGE, re.MULTILINE)
AWAY = {"postgres": "host=/nowhere dbname=box_office", "redis": "unix:///nowhere/redis.sock",
        "projections": {"event": {"source": "event_card", "id": "id", "key": "event:{id}", "watch": {"event": "id"}}}}


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "pgusher.json"
    file.write_text(json.dumps(AWAY))
    return str(file)


def test_each_verb_has_an_example_of_its_own():
    assert len(VERBS) == 10
    for verb in VERBS:
        usage = run_program("pgusher", verb, "--help").must(0, f"usage: pgusher {verb}").out
        example = shlex.split(re.search(r"^Example: (.*)$", usage, re.MULTILINE).group(1))
        assert example[0] == "pgusher" and verb in example
        assert max(map(len, usage.splitlines())) <= 120


@pytest.mark.parametrize("arguments, words", [
    ([], ["verb is missing"]), (["chekc"], ["chekc", 'did you mean "check"']), (["status", "--wach"], ["--wach", "did you mean --watch?", "pgusher status --help"]),
    (["verify", "--sampel=5"], ["--sampel", "did you mean --sample?"]), (["verify", "--sample"], ["--sample needs a value"]),
    (["verify", "--sample", "many"], ["--sample", "whole number", "many"]), (["status", "--watch=5"], ["--watch", "takes no value"]),
    (["-x", "status"], ["unknown option -x"]), (["explain", "event", "-555"], ["-555 is no option", "pgusher explain ticket -- -555"]),
    (["status", "--rate", "5"], ["status does not take", "--rate"]), (["status", "event"], ["status does not take", "event"])])
def test_wrong_arguments_are_named(arguments, words):
    result = run_program("pgusher", *arguments).must(64, *words)
    assert result.out == "" and result.err.startswith("pgusher: ") and result.err.count("\n") == 2
    told = json.loads(run_program("pgusher", "--json", *arguments).must(64).out)["errors"]
    assert result.err.startswith(f"pgusher: {told[0]}\n")


@pytest.mark.parametrize("arguments", [
    ["check"], ["status"], ["explain", "event", "5"], ["verify"], ["backfill"], ["backfill", "--dry-run"], ["backfill", "--pause"],
    ["quarantine", "list"], ["fleet", "list"], ["init", "--postgres", AWAY["postgres"], "event"]], ids=" ".join)
def test_json_is_one_object_whatever_fails(config, tmp_path, arguments):
    away = run_program("pgusher", "-c", config, *arguments, "--json").must(69)
    assert "/nowhere" in json.dumps(json.loads(away.out))
    if arguments[0] != "init":
        bad = run_program("pgusher", "-c", str(tmp_path / "none.json"), *arguments, "--json").must(78)
        assert "none.json" in json.dumps(json.loads(bad.out))


def test_the_other_programs():
    run_program("pgusher-queue", "peek", "q", "--delayd").must(64, "unknown option --delayd", "did you mean --delayed?")
    for argv in (["peek", "q", "--delayd", "--json"], ["--json", "nope"], ["--json", "-c", "/none.json", "list"], ["--json", "-r", "foo://x", "stats", "q"]):
        result = run_program("pgusher-queue", *argv).must((64, 78))
        assert len(json.loads(result.out)["errors"]) == 1
    usages = [run_program("pgusherd", "--help").out, run_program("pgusher-queue", "--help").out]
    usages += [run_program("pgusher-queue", verb, "--help").out for verb in re.findall(r"^  (\w+)", usages[1], re.MULTILINE)]
    assert len(usages) == 14 and all("\nExample: " in usage for usage in usages)
    assert max(len(line) for usage in usages for line in usage.splitlines()) <= 120


def test_what_is_wrong_is_told_once_and_where_it_stands(config, tmp_path):
    for arguments, told in [(["-c", str(tmp_path), "check"], f"{tmp_path}: cannot read it: Is a directory\n"),
                            (["-c", "/none.json", "install"], "/none.json: cannot read it: No such file or directory\n"),
                            (["-c", config, "--fleet", "a b", "check"], f"{config}: fleet: (given by --fleet) the name of a fleet ")]:
        result = run_program("pgusher", *arguments).must(78)
        assert result.err.startswith(told) and result.err.count("\n") == 1


def test_output_that_cannot_be_written(config):
    for arguments in (["--help"], ["-c", config, "check", "--offline"], ["-c", config, "status", "--json"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([path("pgusher"), *arguments], stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode in (1, 69) and done.stderr.endswith("pgusher: cannot write the output\n")
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([path("pgusher"), "-c", config, "status", "--json"], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert done.returncode == 69 and "cannot write" not in done.stderr, "who closed a pipe has read enough"


def test_the_readme_knows_every_key_of_the_configuration():
    with open(os.path.join(SOURCE, "cdc/config.c")) as file:
        tables = re.findall(r"char \*const (root|projection)_keys\[\] = {(.*?)NULL}", file.read(), re.DOTALL)
    with open(os.path.join(SOURCE, "README.md")) as file:
        rows = [line.split("|")[1] for line in file if line.startswith("| `")]
    told = set(re.findall(r"[.`](\w+)", " ".join(rows)))
    for _, keys in tables:
        assert set(re.findall(r'"(\w+)"', keys)) - {"projections"} <= told
    assert len(tables) == 2
