"""One run of a program as `pgusher-queue consume QUEUE --docs --exec …` runs it."""
import json
import os
import subprocess
from typing import NamedTuple

from .processes import clean_environment
from .programs import ROOT, SLOWER


def path(name):
    return os.path.join(ROOT, "examples", "indexers", name)


def upsert(key, version=1, **fields):
    return {"key": key, "op": "upsert", "version": version, "doc": fields}


def delete(key, version=None):
    return {"key": key, "op": "delete", "version": version}


class Run(NamedTuple):
    code: int
    ok: set
    failed: dict  # key: reason
    text: str  # stdout and stderr


def start(name, *arguments, environment=None):
    """The process, and the end of the pipe from which its verdicts come."""
    reader, writer = os.pipe()

    def verdicts_on_3():
        os.dup2(writer, 3)
        os.set_inheritable(3, True)

    process = subprocess.Popen([path(name), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, cwd="/", close_fds=False, preexec_fn=verdicts_on_3,
                               env={**clean_environment(), **(environment or {})})
    os.close(writer)
    return process, reader


def feed(started, documents):
    """Gives the process its documents and waits for its end."""
    process, reader = started
    lines = "".join(json.dumps(document) + "\n" for document in documents).encode()
    text, _ = process.communicate(lines, timeout=60 * SLOWER)
    with open(reader, encoding="utf-8") as pipe:
        verdicts = [line.rstrip("\n").split("\t") for line in pipe]
    assert all(verdict[0] in ("ok", "fail") for verdict in verdicts)
    return Run(process.returncode, {key for word, key, *_ in verdicts if word == "ok"},
               {key: reason for word, key, *reasons in verdicts if word == "fail" for reason in reasons}, text.decode())


def run(name, *arguments, documents, token=1):
    environment = {"QUEUE": "{search}", "TOKEN": str(token), "ATTEMPT": "1"}
    return feed(start(name, *arguments, environment=environment), documents)
