#!/usr/bin/python3
"""report.py COVERAGE.json [UNCOVERED.txt]: what gcovr counted, by folder, and the lines that handle errors and were never run.

An arm of a branch has lines of its own in this code, so an error that no test causes shows as a line that was not run. What cannot be
caused stands, with the reason, in exceptions.txt: FILE | TEXT OF THE LINE | REASON; test_coverage_exceptions.py checks that the lines exist."""
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FOLDERS = ("common", "cdc", "queue")
ERROR = re.compile(r"err|fail|refuse|lost|abort|exhausted|problem|log_warn|drop|down|broken|return (-1|-2|false|NULL);|= -1;|status|out_of")


HANDS_ON = re.compile(r"return (-1|false|NULL);|err_copy\(|\w*free\(|answer_error\(")


def source(name):
    with open(os.path.join(ROOT, name)) as file:
        return [line.strip() for line in file]


def exceptions():
    """(file, text, reason) of each."""
    with open(os.path.join(HERE, "exceptions.txt")) as file:
        return [tuple(part.strip() for part in line.split(" | ")) for line in file if line.strip() and line[0] != "#"]


def counted(file):
    return [line for line in file["lines"] if not line.get("gcovr/noncode")]


def figures(files):
    lines = [line for file in files for line in counted(file)]
    branches = [branch for line in lines for branch in line["branches"]]
    return [f"{100 * sum(one['count'] > 0 for one in some) / max(1, len(some)):5.1f} %  "
            f"{sum(one['count'] > 0 for one in some):6} of {len(some):6}" for some in (lines, branches)]


def print_figures(files):
    print(f"{'':8}  {'lines':25}  branches")
    for folder in (*FOLDERS, "all"):
        inside = [file for file in files if folder == "all" or file["file"].startswith(folder + "/")]
        print(f"{folder:8}  {'  '.join(figures(inside))}")


def blocks(file):
    """The stretches of lines that were not run, each as a list of numbers."""
    found = []
    for line in counted(file):
        if line["count"]:
            found.append([])
        else:
            found = found or [[]]
            found[-1].append(line["line_number"])
    return [block for block in found if block]


def uncovered(files):
    """(place, text) of the first line of each stretch that handles an error; whether it only hands it on, from a function whose errors
    count for themselves."""
    for file in files:
        text = source(file["file"])
        for block in blocks(file):
            if any(ERROR.search(text[number - 1]) for number in block):
                yield file["file"], block[0], text[block[0] - 1], all(HANDS_ON.match(text[number - 1]) for number in block)


def main(coverage, target=os.devnull):
    with open(coverage) as file:
        files = json.load(file)["files"]
    print_figures(files)
    known = {(name, text) for name, text, _ in exceptions()}
    found = list(uncovered(files))
    handed_on = sum(hands_on for *_, hands_on in found)
    left = [(name, number, text) for name, number, text, hands_on in found if not hands_on and (name, text) not in known]
    with open(target, "w") as out:
        out.writelines(f"{name}:{number}: {text}\n" for name, number, text in left)
    print(f"stretches for errors that no test has run: {len(found)}; {handed_on} of them only hand on what another function has found, "
          f"{len(found) - handed_on - len(left)} have a reason in exceptions.txt; the others: {target}")


if __name__ == "__main__":
    main(*sys.argv[1:])
