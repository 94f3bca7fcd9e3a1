"""An indexer in the field: takes items, reads each document's hash, keeps what it read. On SIGTERM it empties the queue and says
as JSON on stdout which documents differ from what it kept: those that were never queued after their last change.

    indexer.py URL QUEUE

It takes items as the classic reliable consumer does (RPOPLPUSH to a list of its own, which is emptied only after it has read the
documents), so that none is lost by *its* failures: what is missing at the end, nobody queued.
"""
import json
import signal
import sys
import time

import redis

from server import ERRORS, connect, follow, scan

BATCH = 200
OURS = (b"_v", b"_d")
PATTERNS = ("event:*", "ticket:*", "happening:*")


def contents(client, keys):
    """{key: fields without our own}; a key that is gone has none."""
    found = {}
    for start in range(0, len(keys), 2000):
        part = keys[start:start + 2000]
        pipe = client.pipeline(transaction=False) if not isinstance(client, redis.RedisCluster) else client.pipeline()
        for key in part:
            pipe.hgetall(key)
        for key, fields in zip(part, pipe.execute()):
            found[key] = {name: value for name, value in fields.items() if name not in OURS}
    return found


class Indexer:
    def __init__(self, url, queue):
        self.url, self.queue, self.holding = url, queue, f"{queue}-processing"
        self.client = connect(url)
        self.index = contents(self.client, [key for pattern in PATTERNS for key in scan(self.client, pattern)])
        self.items = 0
        self.stopping = False

    def turn(self):
        """How many items were taken. The replies do not say: one that was lost, or a command that a client sent twice, took an item, too."""
        if not self.client.llen(self.holding):
            pipe = self.client.pipeline(*([] if isinstance(self.client, redis.RedisCluster) else [False]))
            for _ in range(BATCH):
                pipe.execute_command("RPOPLPUSH", self.queue, self.holding)
            pipe.execute()
        taken = self.client.lrange(self.holding, 0, -1)
        if taken:
            self.index.update(contents(self.client, list(set(taken))))
            self.client.ltrim(self.holding, 0, -len(taken) - 1)
            self.items += len(taken)
        return len(taken)

    def run(self):
        while True:
            try:
                follow(self.client)
                if not self.turn():
                    if self.stopping:
                        return
                    time.sleep(0.02)
            except ERRORS:
                time.sleep(0.05)

    def outdated(self):
        """Of each such document what became of it."""
        keys = {key for pattern in PATTERNS for key in scan(self.client, pattern)} | set(self.index)
        now = contents(self.client, list(keys))
        return sorted(f"{key.decode()} {self.what(self.index.get(key, {}), now[key])}" for key in keys
                      if now[key] != self.index.get(key, {}))

    def what(self, kept, now):
        if not kept or not now:
            return "came" if now else "went"
        return "changed " + ",".join(name.decode() for name in sorted(kept.keys() | now.keys()) if kept.get(name) != now.get(name))


def main(url, queue):
    indexer = Indexer(url, queue)

    def stop(*_):
        indexer.stopping = True
    signal.signal(signal.SIGTERM, stop)
    print("ready", flush=True)
    indexer.run()
    json.dump({"items": indexer.items, "outdated": indexer.outdated()}, sys.stdout)


main(*sys.argv[1:])
