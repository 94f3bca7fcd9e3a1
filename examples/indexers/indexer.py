"""What groonga.py and elasticsearch.py share: their side of `pgusher-queue consume QUEUE --docs --exec …`.

One JSON object a line comes on stdin, {"key", "op": "upsert" or "delete", "version", "doc": {…}}; no key comes twice
in a run. What became of a document is said on file descriptor 3, "ok<TAB>key" or "fail<TAB>key<TAB>reason", and the
exit status decides about those of which nothing was said:

     0  done
    75  the search engine is down or too busy: put back untried, and the next run comes later
     1  something else went wrong: tried again in smaller parts, until the culprit is alone

A run may be killed at any moment and its documents come again, so what it does must be repeatable.
"""
import http.client
import json
import os
import stat
import sys
import urllib.parse

EX_TEMPFAIL = 75
TIMEOUT_S = 30
LONGEST_REASON = 500  # the queue keeps no more


class TargetDown(Exception):
    """The search engine does not answer as it should, and no document is to blame."""


class Batch:
    """The documents of this run, and what became of them."""

    def __init__(self, lines):
        documents = [json.loads(line) for line in lines]
        self.upserts = [document for document in documents if document["op"] == "upsert"]
        self.deletes = [document for document in documents if document["op"] == "delete"]
        self.unsaid = False  # whether a failure could not be put into a verdict
        self._verdicts = open_verdicts()

    def ok(self, document):
        if sayable(document["key"]):
            self._write("ok", document["key"])

    def fail(self, document, reason):
        if sayable(document["key"]):
            self._write("fail", document["key"], " ".join(reason.split())[:LONGEST_REASON])
        else:
            self.unsaid = True
            complain(f"{document['key']!r}: {reason}")

    def _write(self, *words):
        print(*words, sep="\t", file=self._verdicts, flush=True)


def open_verdicts():
    """File descriptor 3; by hand there is none, and a person reads them."""
    try:
        piped = stat.S_ISFIFO(os.fstat(3).st_mode)
    except OSError:
        piped = False
    return open(3, "w", encoding="utf-8", newline="\n") if piped else sys.stderr


def sayable(key):
    """A verdict is a line with tabs between its words and must name the item byte for byte. U+FFFD stands for bytes
    that are no UTF-8: what they were is not known here."""
    return not set(key) & set("\t\n\0\ufffd")


def complain(text):
    print(f"{os.path.basename(sys.argv[0])}: {text}", file=sys.stderr)


def run(index):
    """Calls index(batch) with what stands on stdin; returns the exit status."""
    batch = Batch(sys.stdin.buffer)
    try:
        index(batch)
    except TargetDown as down:
        complain(down)
        return EX_TEMPFAIL
    return 1 if batch.unsaid else 0


class Server:
    """An HTTP server; each request has a connection of its own."""

    def __init__(self, url):
        self.url = url.rstrip("/")
        self._parts = urllib.parse.urlsplit(self.url)
        if self._parts.scheme not in ("http", "https") or not self._parts.hostname:
            sys.exit(f"{url} is no address of an HTTP server, such as http://127.0.0.1:9200")

    def request(self, method, path, body=None, **headers):
        """The status and the body of the answer."""
        connection = self._connect()
        try:
            connection.request(method, self._parts.path + path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise TargetDown(f"{self.url}: {error or type(error).__name__}") from error
        finally:
            connection.close()

    def _connect(self):
        secure = self._parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        return kind(self._parts.hostname, self._parts.port, timeout=TIMEOUT_S)


def halves(documents):
    middle = len(documents) // 2
    return documents[:middle], documents[middle:]
