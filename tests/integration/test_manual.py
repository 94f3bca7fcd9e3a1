"""The manual pages say what the programs say: an option, a verb or a configuration key is in both or in neither."""
import os
import re
import shutil

import pytest

from harness.processes import run
from harness.programs import ROOT, run_program

PAGES = os.path.join(ROOT, "docs", "man")
QUEUE_VERBS = "list stats peek push consume recover dead replay rm purge doctor pause resume".split()
PGUSHER_VERBS = "init check install uninstall status explain backfill verify quarantine fleet".split()


def page(name):
    with open(os.path.join(PAGES, name)) as file:
        return file.read()


def words(text):
    """Long options and -c, -n, -r as the program writes them."""
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*|(?<![\w-])-[cnr](?![\w-])", text))


def options_of_help(program, verbs):
    text = run_program(program, "--help").must(0).out + "".join(run_program(program, verb, "--help").must(0).out for verb in verbs)
    examples = re.compile(r"^Example: .*$|^.*\| psql .*$|redis-cli --\w+.*", re.MULTILINE)
    return words(examples.sub("", text))


def options_of_page(name):
    """Of .Fl and .It Fl lines: `Fl -json` is --json, `Fl c` is -c."""
    macros = "\n".join(line for line in page(name).splitlines() if line.startswith("."))
    found = set()
    for flags in re.findall(r"\bFl ((?:-?\w[\w-]*(?: \| | , )?(?:Fl )?)+)", macros):
        found |= {"-" + flag for flag in re.split(r"[ |,]+|Fl ", flags) if re.fullmatch(r"-[a-z][a-z-]+|[cnr]", flag)}
    return found


@pytest.mark.parametrize("program, section, verbs", [
    ("pgusher", 1, PGUSHER_VERBS), ("pgusher-queue", 1, QUEUE_VERBS), ("pgusherd", 8, [])])
def test_options_are_in_the_help_and_in_the_page(program, section, verbs):
    helped, paged = options_of_help(program, verbs), options_of_page(f"{program}.{section}")
    assert len(helped) >= 6 and helped == paged, f"only --help: {helped - paged}; only the page: {paged - helped}"


@pytest.mark.parametrize("program, verbs", [("pgusher", PGUSHER_VERBS), ("pgusher-queue", QUEUE_VERBS)])
def test_verbs_are_in_the_help_and_in_the_page(program, verbs):
    helped = re.findall(r"^  (\w+) +\S", run_program(program, "--help").out, re.MULTILINE)
    assert set(helped) <= set(verbs)
    for verb in verbs:
        assert re.search(rf"^\.Ss .*\b{verb}\b", page(f"{program}.1"), re.MULTILINE), verb


def test_the_configuration_keys_are_those_of_the_readme():
    with open(os.path.join(ROOT, "README.md")) as file:
        rows = re.findall(r"^\| (`[^|]*) \|", file.read(), re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"[a-z_]+", " ".join(re.findall(r"`(?:projections\.X\.|….)?([a-z_]+)`", row)))}
    paged = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"^\.It Cm ([a-z_ ,]+)$", page("pgusher.json.5"), re.MULTILINE))))
    queue_settings = {"max_failures", "max_crashes", "lease", "plain_timeout", "coalesce"}
    assert len(told) > 15 and told - paged == set() and paged - told == {"projections", "queues"} - told | queue_settings


@pytest.mark.parametrize("name", sorted(os.listdir(PAGES)))
def test_pages_are_well_formed(name):
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    done = run(["mandoc", "-T", "lint", "-W", "warning", os.path.join(PAGES, name)])
    assert done.returncode == 0, done.stdout + done.stderr
