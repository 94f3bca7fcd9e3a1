"""A page of the documentation whose commands are run: each `$ command` in a console block of a section, with what it prints.

In what is printed a line that is only … stands for any lines, … within a line for any text, and numbers for any
numbers; spaces between words may be more or fewer.
"""
import os
import re
import shutil
import subprocess

from psycopg2.extensions import parse_dsn

from .programs import BUILD, ROOT, SLOWER

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)


class Step:
    def __init__(self, text):
        command, _, self.printed = text.partition("\n")
        while command.endswith("\\"):
            line, _, self.printed = self.printed.partition("\n")
            command += "\n" + line
        self.command = command

    def pattern(self):
        lines = []
        for line in self.printed.splitlines():
            if line.strip() == "…":
                lines.append(r"(?:.*\n)*?")
                continue
            words = [re.sub(r"\d+(?:\\[.,]\d+|,\d+)*", r"[0-9.,]+", re.escape(word)).replace("…", ".*")
                     for word in line.split()]
            lines.append(r"[ \t]*" + r"[ \t]+".join(words) + r"[ \t]*\n")
        return "".join(lines)

    def run(self, environment):
        result = subprocess.run(["bash", "-c", self.command], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, timeout=60 * SLOWER, check=False)
        assert re.fullmatch(self.pattern(), result.stdout), \
            f"$ {self.command}\nprinted:\n{result.stdout}\nthe page says:\n{self.printed}"
        return result.returncode


def sections(page):
    """Heading of each section (### …) → its steps, in order."""
    with open(os.path.join(ROOT, page)) as file:
        parts = re.split(r"^###? +(.*)\n", file.read(), flags=re.M)
    return {heading: [Step(text) for block in BLOCK.findall(body) for text in re.split(r"^\$ ", block, flags=re.M)[1:]]
            for heading, body in zip(parts[1::2], parts[2::2])}


def environment(box):
    """As an operator's shell: the programs on the PATH, which find configuration and servers by themselves."""
    tools = os.path.join(box.folder, "tools")
    os.makedirs(tools, exist_ok=True)
    with open(os.path.join(tools, "redis-cli"), "w", opener=lambda path, flags: os.open(path, flags, 0o755)) as file:
        file.write(f'#!/bin/sh\nexec {shutil.which("redis-cli")} -s {box.redis.socket} "$@"\n')
    postgres = {f"PG{name.upper().replace('DBNAME', 'DATABASE')}": value for name, value in parse_dsn(box.db.conninfo()).items()}
    return {**os.environ, **postgres, "PATH": f"{tools}:{BUILD}:{os.environ['PATH']}", "PGUSHER_CONFIG": box.path}
