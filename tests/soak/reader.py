"""A client of every server that reads the documents whose history is recorded, until SIGTERM; then what it found as JSON on stdout.

    reader.py RESERVED PORT...

Servers of 127.0.0.1, primary and replicas alike: each is a client of its own to history.py. After SIGTERM each is read once more:
"final" is {port: {key: count or null}}, without a server that cannot be read.
"""
import json
import signal
import sys
import threading

import paths  # noqa: F401 makes the others importable

import redis

from history import History

PAUSE = 0.05
DATASET = "pgusher:fleet:default"


class Client:
    def __init__(self, port, keys, history):
        self.name, self.keys, self.history = f"port {port}", keys, history
        self.redis = redis.Redis(port=port, socket_timeout=1)
        self.process = None  # which run of the server we talk to

    def fetch(self):
        """(span or None, {key: (version, count)}), of one moment."""
        pipe = self.redis.pipeline(transaction=True)
        pipe.info("server").info("replication").hget(DATASET, "dataset")
        for key in self.keys:
            pipe.hmget(key, "_v", "count")
        server, replication, dataset, *found = pipe.execute()
        documents = {key: (int(version), int(count)) if version else (None, None) for key, (version, count) in zip(self.keys, found)}
        span = dataset and (server["run_id"], replication["master_replid"], dataset.decode())
        return span, documents

    def turn(self):
        try:
            span, documents = self.fetch()
        except redis.RedisError:
            self.redis.connection_pool.disconnect()
            return
        if span:  # without a dataset the fleet is yet to fill it
            for key, (version, count) in documents.items():
                self.history.read(self.name, span, key, version, count)

    def final(self):
        return {key: count for key, (_, count) in self.fetch()[1].items()}


def finals(clients):
    for client in clients:
        try:
            yield client.name, client.final()
        except redis.RedisError:
            pass


def main(reserved, *ports):
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    keys = [f"event:{n}" for n in range(1, int(reserved) + 1)] + [f"ticket:{n}" for n in range(1, 3 * int(reserved) + 1)]
    history = History()
    clients = [Client(int(port), keys, history) for port in ports]
    print("ready", flush=True)
    while not stopped.wait(PAUSE):
        for client in clients:
            client.turn()
    json.dump({"reads": history.reads, "rewinds": history.rewinds, "violations": history.violations, "final": dict(finals(clients))},
              sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
