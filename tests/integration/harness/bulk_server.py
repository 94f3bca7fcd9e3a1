"""A stand-in for Elasticsearch: one index behind _bulk, with what its manual says of external versions and errors."""
import http.server
import json
import threading

LONGEST_ID_BYTES = 512


class BulkServer:
    """Loopback, in a thread; refuse and overload say what it answers to certain documents."""

    def __init__(self):
        self.documents = {}  # id: source
        self.versions = {}  # id: version, of deleted ones, too
        self.requests = []  # (path, headers, bytes of the body)
        self.limit_bytes = 100_000_000  # http.max_content_length
        self.whole = None  # answer to every request: (status, body)
        self.busy = set()  # ids that get 429
        self.numeric = set()  # fields that take numbers only
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path, headers, body):
        """(status, body) of a request."""
        self.requests.append((path, headers, len(body)))
        if self.whole:
            return self.whole
        if len(body) > self.limit_bytes:
            return 413, ""
        if headers["Content-Type"] != "application/x-ndjson" or not body.endswith(b"\n"):
            return 400, error("illegal_argument_exception", "The bulk request must be terminated by a newline [\\n]")
        return self.bulk([json.loads(line) for line in body.split(b"\n")[:-1]])

    def bulk(self, lines):
        operations = list(paired(lines))
        for _, target, _ in operations:
            if len(target["_id"].encode()) > LONGEST_ID_BYTES:
                return 400, error("action_request_validation_exception", "Validation Failed: 1: id is too long")
        return 200, {"items": [{action: self.one(action, target, source)} for action, target, source in operations]}

    def one(self, action, target, source):
        key, version = target["_id"], target["version"]
        assert target["version_type"] == "external" and target["_index"] == "documents"
        wrong = [field for field in self.numeric & set(source or ()) if not source[field].isdigit()]
        if key in self.busy:
            return {"status": 429, **error("es_rejected_execution_exception", "rejected execution of coordinating operation")}
        if wrong:
            cause = error("illegal_argument_exception", f'For input string: "{source[wrong[0]]}"')["error"]
            return {"status": 400, **error("mapper_parsing_exception", f"failed to parse field [{wrong[0]}]", cause)}
        if version <= self.versions.get(key, -1):
            return {"status": 409, **error("version_conflict_engine_exception", "current version is higher or equal")}
        return {"status": self.write(action, key, version, source)}

    def write(self, action, key, version, source):
        existed = key in self.documents
        self.versions[key] = version
        if action == "index":
            self.documents[key] = source
            return 200 if existed else 201
        self.documents.pop(key, None)
        return 200 if existed else 404


def paired(lines):
    lines = iter(lines)
    for line in lines:
        ((action, target),) = line.items()
        yield action, target, next(lines) if action == "index" else None


def error(kind, reason, cause=None):
    return {"error": {"type": kind, "reason": reason, **({"caused_by": cause} if cause else {})}}


def handler_of(bulk):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            status, answer = bulk.answer(self.path, self.headers, body)
            text = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST

        def log_message(self, *_):
            pass

    return Handler
