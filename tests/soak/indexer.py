"""A native consumer of the queue in another language: the loop that docs/queue.md describes, until it is ended.

    indexer.py URL QUEUE LEDGER BUILD

What it was given and what it read it writes into the ledger as handlers of pgusher-queue consume do: see ledger.py. On SIGTERM it
releases what it holds.
"""
import json
import os
import random
import signal
import sys
import threading

import paths  # noqa: F401 makes the others importable

os.environ["PGUSHER_BUILD"] = sys.argv[4]  # has the scripts

from harness.queue import Native
from tools.server import ERRORS, connect, follow

BATCH = 50
LEASE_MS = 5000
PAUSE = 0.05


def line(key, fields, tombstone):
    document = {name.decode(): value.decode() for name, value in fields.items() if name not in (b"_v", b"_d")}
    upsert = {"key": key, "op": "upsert", "version": int(fields.get(b"_v", 0)), "doc": document}
    return json.dumps(upsert if document else {"key": key, "op": "delete", "version": int(tombstone or 0)})


class Indexer:
    def __init__(self, url, queue, ledger):
        self.client = connect(url)
        name = f"python:{os.getpid()}:{random.SystemRandom().randrange(1 << 40):x}"
        self.consumer = Native(self.client, name, queue, LEASE_MS)
        self.ledger = ledger

    def turn(self):
        items = self.consumer.reserve(BATCH)
        if not items:
            return False
        pipe = self.client.pipeline(transaction=False)
        for item in items:
            pipe.hgetall(item).get(f"pgusher:gone:{{{item}}}")
        found = pipe.execute()
        text = "".join(line(*words) + "\n" for words in zip(items, found[::2], found[1::2]))
        with open(f"{self.ledger}-{int(self.consumer.token)}-{os.getpid()}", "w") as file:
            file.write(text)
        self.consumer.ack(*items)
        self.consumer.token = 0  # nothing is held: what Redis thinks is held, because a failover lost the ack, is given again
        return True

    def run(self, stopped):
        while not stopped.is_set():
            try:
                follow(self.client)
                if not self.turn():
                    stopped.wait(PAUSE)
            except ERRORS:
                stopped.wait(PAUSE)

    def release(self):
        try:
            self.consumer.release_all()
        except ERRORS:
            pass  # its lease will run out


def main(url, queue, ledger, _):
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    indexer = Indexer(url, queue, ledger)
    print("ready", flush=True)
    indexer.run(stopped)
    indexer.release()


if __name__ == "__main__":
    main(*sys.argv[1:])
