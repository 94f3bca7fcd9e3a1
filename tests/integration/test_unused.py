"""Nothing in the source tree is there for nobody: functions, constants, scripts, statements, includes."""
import collections
import os
import re
import shutil

import pytest

from harness.processes import run
from harness.programs import ROOT, path

LAYERS = ("common", "queue", "cdc")
TESTS = ("tests/unit", "tests/queue_model")
PUBLIC = "pgusher_queue_"  # what other people's programs call
C_NAME = re.compile(r"\w+")


def sources(*folders, ends=(".c", ".h")):
    """{path: text}, without comments and the contents of strings."""
    found = {}
    for folder in folders:
        for name in sorted(os.listdir(os.path.join(ROOT, folder))):
            if name.endswith(ends):
                with open(os.path.join(ROOT, folder, name)) as file:
                    found[f"{folder}/{name}"] = re.sub(r'(?<!#include )"(?:\\.|[^"\\\n])*"', '""',
                                                       re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S))
    return found


CODE = sources(*LAYERS, "lua", "cdc/sql", "cdc/page")
HEADERS = {name: text for name, text in CODE.items() if name.endswith(".h")}
WORDS = {name: collections.Counter(C_NAME.findall(text)) for name, text in CODE.items()}
TESTED = set().union(*(C_NAME.findall(text) for text in sources(*TESTS).values()))


@pytest.fixture(scope="module")
def symbols():
    """{object: (names it defines, names it uses)} of what the programs are linked from."""
    if not shutil.which("nm"):
        pytest.skip("nm is not installed (package binutils)")
    names = [name[:-2] for name in CODE if name.endswith(".c")] + ["gen/sql", "gen/lua", "gen/page"]
    found = {name: (set(), set()) for name in names}
    told = run(["nm", "-A", *(path(name + ".o") for name in names)])
    assert told.returncode == 0, told.stderr.decode()
    for name, kind, symbol in re.findall(rf"^{path('')}(.*)\.o:.* ([TDBRVU]) (\w+)$", told.stdout.decode(), re.M):
        found[name][kind == "U"].add(symbol)
    return found


def test_what_is_not_static_is_used_elsewhere(symbols):
    """By another file; or by its own, and tests look at it alone."""
    used = set().union(*(uses for _, uses in symbols.values()))
    idle = [f"{name}: {symbol}" for name, (defines, _) in symbols.items() for symbol in sorted(defines - used - {"main"})
            if not symbol.startswith(PUBLIC) and not (symbol in TESTED and WORDS.get(name + ".c", {}).get(symbol, 0) > 1)]
    assert len(used) > 1000 and not idle, "make it static, or delete it:\n" + "\n".join(idle)


def test_what_headers_declare_is_defined(symbols):
    defined = set().union(*(defines for defines, _ in symbols.values()))
    declared = {(name, function) for name, text in HEADERS.items()
                for function in re.findall(r"^(?!static|typedef|#)[A-Za-z][\w ]*[ *](\w+)\([^)]*\)[^{;]*;", text, re.M)}
    missing = [f"{name}: {function}" for name, function in sorted(declared) if function not in defined]
    assert len(declared) > 500 and not missing, "\n".join(missing)


def names_made(text, others=False):
    """Macros and types; others: functions and constants, too."""
    text = re.sub(r"#ifndef (\w+)\n#define \1\n", "", text)
    made = re.findall(r"#define (\w+)", text) + re.findall(r"^struct (\w+) ?\{", text, re.M)
    if others:
        made += re.findall(r"\b(?:struct|enum) (\w+)(?: ?\{|;)", text) + re.findall(r"\b(\w+)\(", text)
        made += re.findall(r"^(?:typedef|extern) .*?(\w+)(?:\[\w*\])?(?:\(.*)?;", text, re.M)
        for body in re.findall(r"\benum \w* ?\{(.*?)\}|^\w+_fn (.*?);", text, re.S | re.M):
            made += re.findall(r"(?:^|,)\s*(\w+)", "".join(body))
    return set(made)


def test_macros_and_structs_are_used():
    totals = sum(WORDS.values(), collections.Counter())
    made = {(name, word) for name, text in CODE.items() for word in names_made(text)}
    idle = [f"{name}: {word}" for name, word in sorted(made) if totals[word] < 2]
    assert len(made) > 300 and not idle, "\n".join(idle)


def own(name, header):
    """x.c and x_y.c may include x.h for being part of it."""
    return os.path.basename(name).startswith(os.path.basename(header)[:-2])


def test_no_include_is_for_nothing():
    idle = []
    for name, text in CODE.items():
        for header in re.findall(r'^#include "([^"]+)"$', text, re.M):
            if not own(name, header) and not names_made(CODE[header], others=True) & set(WORDS[name]):
                idle.append(f"{name}: {header}")
    assert not idle, "\n".join(idle)


def test_each_file_includes_its_own_header_first():
    """So each header compiles alone."""
    firsts = {name: re.search(r'^#include [<"](.*)[">]$', text, re.M)[1] for name, text in CODE.items() if name.endswith(".c")}
    wrong = [name for name, first in firsts.items() if name[:-2] + ".h" in CODE and not own(first, name[:-2] + ".h")]
    assert not wrong


def test_parts_of_scripts_are_included():
    """Whole scripts and statements are symbols, which the first test looks at."""
    text = run(["grep", "-rh", "^--@include", os.path.join(ROOT, "lua")]).stdout.decode()
    parts = os.listdir(os.path.join(ROOT, "lua/parts"))
    assert len(parts) > 5 and not [name for name in parts if f"--@include parts/{name}\n" not in text]
