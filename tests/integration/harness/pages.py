"""The examples of the documentation: each block of each page, and whose it is.

A test module takes blocks, Page("README.md")["first words of it"], or leaves them with a reason; left_over() tells
of those that nobody took.
"""
import glob
import os
import re
import signal
import subprocess

from .programs import ROOT, SLOWER

FENCED = re.compile(r"^(?:\d+\. | *)```(\w*)\n(.*?)^ *```$", re.M | re.S)
INDENTED = re.compile(r"(?<=\n\n)((?: {4}.*\n+)+)")
LITERAL = re.compile(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed$|^\.Dl ([^\n]*)$", re.M | re.S)


def names():
    found = ["README.md"]
    for folder in ("docs", "examples", "tests"):
        found += glob.glob(f"{folder}/**/*.md", root_dir=ROOT, recursive=True)
    return sorted(found + glob.glob("docs/man/*", root_dir=ROOT))


class Block:
    def __init__(self, page, language, text):
        self.page = page
        self.language = language
        self.text = text.strip("\n") + "\n"

    def __repr__(self):
        return f"{self.page}: {self.text.splitlines()[0]}"

    def but(self, **replaced):
        """The text with these words replaced, each of which must be there; the place of one: old=(was, is)."""
        text = self.text
        for was, now in replaced.values():
            assert was in text, f"{self} has no {was}"
            text = text.replace(was, now)
        return text


class Page:
    all = {}

    def __init__(self, name):
        self.name = name
        self.taken = set()
        with open(os.path.join(ROOT, name)) as file:
            text = file.read()
        self.blocks = list(self._manual(text) if name.startswith("docs/man/") else self._markdown(text))
        Page.all[name] = self

    def _manual(self, text):
        for display, line in LITERAL.findall(text):
            yield Block(self.name, "", (display or line).replace(r"\(dq", '"').replace(r"\e", "\\"))

    def _markdown(self, text):
        for language, body in FENCED.findall(text):
            yield Block(self.name, language, body)
        for body in INDENTED.findall(FENCED.sub("", text)):
            yield Block(self.name, "", re.sub(r"^ {4}", "", body, flags=re.M))

    def __getitem__(self, start):
        """The one block that begins with these words."""
        found = [block for block in self.blocks if block.text.lstrip().startswith(start)]
        assert len(found) == 1, f"{self.name}: {len(found)} blocks begin with {start}"
        self.taken.add(found[0])
        return found[0]

    def leave(self, start, reason):
        assert reason
        return self[start]

    def leave_all(self, language, reason):
        """Blocks in this language; None: all."""
        assert reason
        self.taken |= {block for block in self.blocks if language in (None, block.language)}


def left_over():
    pages = [Page.all.get(name) or Page(name) for name in names()]
    return [block for page in pages for block in page.blocks if block not in page.taken]


def shell(text, environment, folder):
    """Runs commands as a script that stops at the first failure, and ends what it left in the background. What was printed."""
    script = "set -eo pipefail\ntrap 'code=$?; set +e; kill $(jobs -p) 2>/dev/null; wait; exit $code' EXIT\n" + text
    process = subprocess.Popen(["bash", "-c", script], cwd=folder, env=environment, text=True, start_new_session=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        printed, _ = process.communicate(timeout=120 * SLOWER)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise AssertionError(f"{text}\ndoes not end: {process.communicate()[0]}") from None
    assert process.returncode == 0, f"{text}\nexit {process.returncode}, printed:\n{printed}"
    return printed
