#!/usr/bin/python3 -B
"""Keeps an index of Elasticsearch or OpenSearch equal to the documents of a queue.

    pgusher-queue consume '{search}' --docs --batch 1000 --linger 500 \\
        --exec 'examples/indexers/elasticsearch.py --server https://search.example:9200 --index documents'

Who we are stands in a file that nobody else can read (--auth-file) or in $ELASTICSEARCH_AUTH, "user:password" or
"ApiKey <the encoded key>"; never on the command line, where everybody on the machine sees it. A private authority's
certificate goes into $SSL_CERT_FILE.

Create the index with a mapping of yours first: all values are strings, and what the engine guesses from the first
document may refuse the second (a date, then an empty string).

Every operation carries TOKEN, the number of this reservation of the queue, as its external version: the engine then
refuses (409) what a newer reservation has overtaken, even from a consumer that slept longer than its lease. A
document's own "version" would not do: it is another, much smaller count, and a delete often has none, since the
deleted document is gone with its version. Mixed in one index, the larger kind would shut out the smaller for ever.
"""
import argparse
import base64
import json
import os
import sys

from indexer import Server, TargetDown, halves, run

MAX_BODY_BYTES = 10_000_000
TOO_BUSY = 429
CONFLICT = 409
NOT_FOUND = 404
BODY_REFUSED = (400, 413)  # for one document's sake: its id is too long, say, or the body is for a proxy


def operation(document, index, token):
    """The lines of one document."""
    action = "index" if document["op"] == "upsert" else "delete"
    target = {"_index": index, "_id": document["key"], "version": token, "version_type": "external"}
    lines = [{action: target}] + ([document["doc"]] if action == "index" else [])
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def bodies(operations):
    """Parts of (document, lines) pairs, none above MAX_BODY_BYTES unless it is a single one."""
    part, size = [], 0
    for document, lines in operations:
        if part and size + len(lines) > MAX_BODY_BYTES:
            yield part
            part, size = [], 0
        part.append((document, lines))
        size += len(lines)
    if part:
        yield part


class Engine:
    def __init__(self, url, auth):
        self.server = Server(url)
        self.headers = {"Content-Type": "application/x-ndjson", **authorization(auth)}
        self.busy = []  # why documents were put off

    def send(self, batch, part):
        """Sends a part; in halves when it is refused as a whole for what is in it."""
        status, answer = self.server.request("POST", "/_bulk?filter_path=items.*.status,items.*.error",
                                             b"".join(lines for _, lines in part), **self.headers)
        if status in BODY_REFUSED and len(part) == 1:
            batch.fail(part[0][0], f"HTTP {status}: {answer[:400].decode(errors='replace')}")
        elif status in BODY_REFUSED:
            for half in halves(part):
                self.send(batch, half)
        elif status != 200:
            raise TargetDown(f"{self.server.url}: HTTP {status}: {answer[:200].decode(errors='replace')}")
        else:
            self.settle(batch, [document for document, _ in part], answer)

    def settle(self, batch, documents, answer):
        results = self.read(answer)
        if len(results) != len(documents):
            raise TargetDown(f"{self.server.url} answers about {len(results)} of {len(documents)} documents")
        for document, (status, error) in zip(documents, results):
            self.settle_one(batch, document, status, error)

    def read(self, answer):
        """Status and error (None: none) of each document, of {"items": [{"index": {"status": 201}}, …]}."""
        try:
            results = [result for item in json.loads(answer)["items"] for result in item.values()]
            return [(int(result["status"]), result.get("error")) for result in results]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise TargetDown(f"{self.server.url} does not answer as _bulk does: {answer[:200]!r}") from error

    def settle_one(self, batch, document, status, error):
        gone_already = status == NOT_FOUND and document["op"] == "delete"
        if 200 <= status < 300 or status == CONFLICT or gone_already:
            batch.ok(document)
        elif status == TOO_BUSY or status >= 500:
            self.busy.append(told(error))
        else:
            batch.fail(document, f"{told(error)} (HTTP {status})")


def told(error):
    """Type and reason, with that of the innermost cause, which names the field."""
    if not isinstance(error, dict):
        return str(error)
    text = f"{error.get('type')}: {error.get('reason')}"
    return f"{text}: {told(error['caused_by'])}" if error.get("caused_by") else text


def authorization(auth):
    if not auth:
        return {}
    if not auth.startswith("ApiKey "):
        auth = "Basic " + base64.b64encode(auth.encode()).decode()
    return {"Authorization": auth}


def index(batch, engine, index_name, token):
    documents = batch.upserts + batch.deletes
    for part in bodies((document, operation(document, index_name, token)) for document in documents):
        engine.send(batch, part)
    if engine.busy:
        raise TargetDown(f"{engine.server.url} is too busy for {len(engine.busy)} documents: {engine.busy[0]}")


def options():
    parser = argparse.ArgumentParser(description="Indexes the documents on stdin with Elasticsearch or OpenSearch.")
    parser.add_argument("--server", default=os.environ.get("ELASTICSEARCH_URL", "http://127.0.0.1:9200"),
                        help="its address (or in $ELASTICSEARCH_URL; default http://127.0.0.1:9200)")
    parser.add_argument("--index", default=os.environ.get("ELASTICSEARCH_INDEX", "documents"),
                        help="name of the index (or in $ELASTICSEARCH_INDEX; default documents)")
    parser.add_argument("--auth-file", type=argparse.FileType(), metavar="FILE",
                        help='a file that holds "user:password" or "ApiKey <encoded>"')
    return parser.parse_args()


def main():
    given = options()
    auth = given.auth_file.read() if given.auth_file else os.environ.get("ELASTICSEARCH_AUTH", "")
    if "TOKEN" not in os.environ:
        sys.exit("TOKEN is not set; pgusher-queue consume does that")
    engine = Engine(given.server, auth.strip())
    return run(lambda batch: index(batch, engine, given.index, int(os.environ["TOKEN"])))


if __name__ == "__main__":
    sys.exit(main())
