"""An indexer as it may exist in the field: pops items, reads the hash, keeps what it read.

If every changed document is queued after it was written, then, with the queue empty, what it keeps
equals what Redis holds. That is stronger than counting items.
"""
import threading

from .waiting import until


def contents(client, keys):
    """{key: fields without our own} of these documents; a key that is gone has none."""
    pipe = client.pipeline(transaction=False)
    for key in keys:
        pipe.hgetall(key)
    return {key: {name: value for name, value in found.items() if name not in (b"_v", b"_d")}
            for key, found in zip(keys, pipe.execute())}


class Indexer:
    def __init__(self, server, documents, queue="{search}"):
        self.server = server
        self.client = server.connect()
        self.queue = queue
        self.index = contents(self.client, documents)
        self._turn = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stopped.is_set():
            with self._turn:
                items = self.client.rpop(self.queue, 200) or []
                self.index.update(contents(self.client, list(set(items))))
            if not items:
                self._stopped.wait(0.002)

    def finish(self, seconds=20):
        """Lets it empty the queue and read what it took."""
        with self.server.connect() as client:
            until(lambda: not client.exists(self.queue, f"{self.queue}:later"), seconds, "the queue is empty")
        with self._turn:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._stopped.set()
        self._thread.join()
        self.client.connection_pool.disconnect()

    def outdated(self, client, documents):
        """Documents whose last change it was never told of."""
        keys = list(set(documents) | set(self.index))
        now = contents(client, keys)
        return [key.decode() for key in keys if now[key] != self.index.get(key, {})]
