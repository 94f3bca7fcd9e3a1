"""A worker's HTTP server, asked as curl would ask."""
import http.client
import json
import re
import socket

from .waiting import until

LISTENING = re.compile(r'http: listening on ([^"\s]+)"')


class Http:
    """The server of one worker; the port is the one its log names last."""

    def __init__(self, daemon):
        self.daemon = daemon
        daemon.says("http: listening on")

    @property
    def address(self):
        host, port = LISTENING.findall(self.daemon.log)[-1].rsplit(":", 1)
        return host.strip("[]"), int(port)

    def ask(self, path, method="GET", headers=None, body=None, seconds=10):
        """Status, headers, text."""
        connection = http.client.HTTPConnection(*self.address, timeout=seconds)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def text(self, path):
        code, _, text = self.ask(path)
        assert code == 200, (code, text)
        return text

    def json(self, path):
        return json.loads(self.text(path))

    def ready(self):
        """Whether it is, and what it says."""
        code, _, text = self.ask("/readyz")
        assert code in (200, 503) and text.count("\n") == 1, (code, text)
        return code == 200, text.strip()

    def until_ready(self, seconds=20):
        until(lambda: self.ready()[0], seconds, lambda: f"ready: {self.ready()}")

    def until_not_ready(self, *words, seconds=20):
        def so():
            ready, text = self.ready()
            return not ready and all(word in text for word in words)
        until(so, seconds, lambda: f"not ready for {words}: {self.ready()}")

    def metrics(self):
        return parse(self.text("/metrics"))

    def raw(self, data, seconds=5):
        """What comes back for these bytes until the server closes, or nothing more comes."""
        with socket.create_connection(self.address, timeout=seconds) as link:
            link.sendall(data)
            return b"".join(iter(lambda: link.recv(65536), b""))


_LINE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[n"\\])*",?)*)\})? ([-+0-9.e]+|\+Inf|NaN)')


def parse(text):
    """{(name, labels): value} of the text format; fails on what is none, or comes twice."""
    found, kinds = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in kinds, f"{name} has two types"
            kinds[name] = kind
            continue
        if line.startswith("# HELP "):
            continue
        match = _LINE.fullmatch(line)
        assert match, f"no metric: {line}"
        family = re.sub(r"_(bucket|sum|count)$", "", match[1]) if match[1] not in kinds else match[1]
        assert family in kinds, f"{match[1]} has no type"
        assert (kinds[family] == "counter") == match[1].endswith("_total") or kinds[family] == "histogram", f"{line} is a {kinds[family]}"
        key = (match[1], match[2] or "")
        assert key not in found, f"{key} comes twice"
        found[key] = float(match[3])
    return found
