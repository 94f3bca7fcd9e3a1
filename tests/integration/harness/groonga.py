"""A private groonga server on a loopback port, the search engine of the tests."""
import http.client
import json
import os
import shutil
import signal
import socket
import urllib.parse

import pytest

from .processes import end, spawn
from .waiting import until


def running(workspace):
    """For a fixture to yield from: a server with an empty database."""
    if not shutil.which("groonga"):
        pytest.skip("groonga is not installed")
    engine = Groonga(os.path.join(workspace, "groonga"))
    try:
        engine.start()
        yield engine
    finally:
        engine.remove()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Groonga:
    def __init__(self, folder):
        self.folder = folder
        self.log = os.path.join(folder, "groonga.log")
        self.process = None
        self.port = free_port()
        os.mkdir(folder)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        """A new database, or the one there is."""
        database = os.path.join(self.folder, "db")
        new = [] if os.path.exists(database) else ["-n"]
        with open(self.log, "ab") as log:
            self.process = spawn(["groonga", "-p", str(self.port), "--bind-address", "127.0.0.1", "--protocol", "http",
                                  "--log-path", self.log, "-s", *new, database], log)
        until(self.is_up, 30, "groonga answers")

    def is_up(self):
        assert self.process.poll() is None, open(self.log).read()[-2000:]
        try:
            return self.call("status")
        except ConnectionRefusedError:
            return False

    def stop(self):
        if self.process:
            end(self.process, signal.SIGKILL)
            self.process = None

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder)

    def call(self, command, **arguments):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", f"/d/{command}?{urllib.parse.urlencode(arguments)}")
        header, *result = json.loads(connection.getresponse().read())
        connection.close()
        assert header[0] == 0, header
        return result[0]

    def select(self, table, **arguments):
        """{key: {column: value}} of what is found."""
        (_, columns, *rows), *_ = self.call("select", table=table, limit=-1, output_columns="*,_key", **arguments)
        names = [name for name, _ in columns]
        records = [dict(zip(names, row)) for row in rows]
        return {record.pop("_key"): record for record in records}

    def found(self, table, column, words):
        """The keys of the records whose column holds the words, by its full-text index."""
        return set(self.select(table, match_columns=column, query=f'"{words}"'))
