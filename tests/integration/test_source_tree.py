"""What the source tree promises about itself."""
import os
import re
import subprocess

from harness.programs import ROOT

TOP_LEVEL = {"Makefile", "README.md", "NEWS.md", "LICENSE", "cdc", "queue", "lua", "common", "tests", "systemd", "docs", "examples"}
MAY_INCLUDE = {"common": {"common"}, "queue": {"common", "lua", "queue"}, "cdc": {"common", "lua", "queue", "cdc"}}
MAX_LINES = 420


def sources(*folders):
    for folder in folders:
        for name in sorted(os.listdir(os.path.join(ROOT, folder))):
            if name.endswith((".c", ".h")):
                yield f"{folder}/{name}"


def text(path):
    with open(os.path.join(ROOT, path)) as file:
        return file.read()


def test_includes_go_from_cdc_to_queue_to_common_and_never_back():
    wrong = [f"{path} includes {included}" for path in sources(*MAY_INCLUDE)
             for included in re.findall(r'^#include "([^"]+)"', text(path), re.MULTILINE)
             if included.split("/")[0] not in MAY_INCLUDE[path.split("/")[0]]]
    assert not wrong, "\n".join(wrong)


def test_no_file_is_too_long_to_hold_in_the_head():
    long = [path for path in sources(*MAY_INCLUDE) if text(path).count("\n") > MAX_LINES]
    assert not long


def test_the_top_level_holds_nothing_else():
    listed = subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, text=True)
    tops = {path.split("/")[0] for path in listed.stdout.split()}
    assert {top for top in tops if not top.startswith(".")} <= TOP_LEVEL
