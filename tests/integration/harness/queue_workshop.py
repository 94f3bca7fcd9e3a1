"""Documents that change without pause, and an index that consumers keep of them; in the end both must be equal.

The index keeps the greatest version of each document, as a search engine with external versions does: a consumer that
was stopped beyond its lease may write after the one that took over from it, and only the version tells which state is
older.
"""
import random
import threading
import time

import redis

from .queue import PYTHON, enqueue

INDEXER = """
import json, os, sys
lines = []
for line in sys.stdin:
    entry = json.loads(line)
    assert entry['op'] == 'delete' or entry['doc']['n'] == str(entry['version']), entry
    lines.append('%s %s %s\\n' % (entry['key'], entry['version'], entry['op']))
with open(sys.argv[1], 'ab', 0) as index:
    index.write(''.join(lines).encode())
"""


class Source:
    """Documents that a producer changes without pause; each change is written, then queued."""

    def __init__(self, queue, documents=300, page=20, again_s=0):
        self.queue = queue
        self.client = queue.redis.connect()
        self.documents = documents
        self.page = page
        self.again_s = again_s  # after an error, what was queued in so many seconds is queued again
        self.state = {}  # key: (version, op)
        self.changes = 0
        self.refused = 0
        self._delivered = []
        self._random = random.Random(7)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.wait(0.002):
            keys = {f"doc:{self._random.randrange(self.documents)}" for _ in range(self.page)}
            for key in keys:
                self._change(key)
            self._deliver(keys)

    def _change(self, key):
        version, _ = self.state.get(key, (0, ""))
        self.state[key] = (version + 1, "delete" if self._random.random() < 0.1 else "upsert")
        self.changes += 1

    def _deliver(self, keys):
        """Until it is written and queued."""
        self._delivered.append((time.monotonic(), keys))
        while True:
            try:
                return self._write(keys)
            except redis.RedisError:
                self.refused += 1
                time.sleep(0.01)
                since = time.monotonic() - self.again_s
                keys = keys.union(*(some for moment, some in self._delivered if moment > since))

    def _write(self, keys):
        pipe = self.client.pipeline()
        for key in keys:
            version, op = self.state[key]
            gone = f"pgusher:gone:{{{key}}}"
            pipe.delete(key, gone)
            if op == "upsert":
                pipe.hset(key, mapping={"_v": version, "n": version})
            else:
                pipe.set(gone, version)
        pipe.execute()
        enqueue(self.client, *keys, lane=self._random.choice(["", "", "later"]))

    def goes_on(self, changes=400, seconds=20):
        enough = self.changes + changes
        self.queue.until(lambda: self.changes >= enough, seconds, "the producer goes on")


class Workshop:
    """A source, its queue, and consumers that keep an index."""

    def __init__(self, queue, **more):
        self.queue = queue
        self.source = Source(queue, **more)
        queue.settings(max_crashes=1000, max_failures=1000)
        indexer = queue.file("indexer.py", INDEXER)
        self.command = f"exec {PYTHON} {indexer} {queue.file('index')}"

    def consumer(self, *options):
        return self.queue.consume(self.command, "--docs", "--batch", "50", "--lease", "1 s", *options)

    def index(self):
        newest = {}
        for line in self.queue.read("index").splitlines():
            key, version, op = line.split()
            if version != "None":
                newest[key] = max(newest.get(key, (0, "")), (int(version), op))
        return newest

    def drained(self):
        return not self.queue.leftovers()

    def in_step(self, seconds=20):
        """Once the queue is empty there is nothing to wait for: everything was acked after it was indexed."""
        self.queue.until(self.drained, seconds, lambda: self.queue.leftovers())
        index = self.index()
        wrong = {key: (state, index.get(key)) for key, state in self.source.state.items() if index.get(key) != state}
        assert not wrong, f"source, index: {wrong}"
