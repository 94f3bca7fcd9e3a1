"""What the consumers of the queue were told of each document, as two search indexes keep it: in one what has the highest version stands
(of equal ones what has the highest token, which must do for a deletion without a version), in the other what has the highest token.

Every run of a handler leaves a file, <consumer>-<token>-<pid>, with each item's line as `consume --docs` gives it; the last may be cut
off, when its consumer was killed.
"""
import json
import os
import time
from collections import deque

from tools.server import scan

from history import epoch

PATTERNS = ("event:*", "ticket:*", "happening:*")
TRAIL = 6
OURS = ("_v", "_d")
HANDLER = "cat > {path}-$TOKEN-$$; [ $((TOKEN / 1000 % 37)) != 0 ] || exit 1; [ $((TOKEN / 1000 % 41)) != 0 ] || exit 75"


def handler(path):
    """The command that consume runs: some runs fail, in some what it writes to is down."""
    return HANDLER.format(path=path)


def contents(client):
    """{key: its fields without our own} of all documents."""
    keys = [key for pattern in PATTERNS for key in scan(client, pattern)]
    found = {}
    for start in range(0, len(keys), 2000):
        pipe = client.pipeline(transaction=False)
        for key in keys[start:start + 2000]:
            pipe.hgetall(key)
        for key, fields in zip(keys[start:], pipe.execute()):
            found[key.decode()] = plain({name.decode(): value.decode() for name, value in fields.items()})
    return {key: fields for key, fields in found.items() if fields}


def plain(fields):
    return {name: value for name, value in (fields or {}).items() if name not in OURS}


def is_forgotten(key, kept, losses):
    """Whether nothing remembers that this document, which the index has, was there. After FLUSHALL nobody knows which documents an id with
    several had. What a lost transaction of PostgreSQL had made is known from Redis alone, where FLUSHALL and its date may take it."""
    if "redis" in losses and (key.startswith("happening:") or "postgres" in losses):
        return True
    return "postgres" in losses and kept.get("starts_at", "9") < time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())


def may_be_unknown(losses):
    """Whether PostgreSQL lost transactions, and a failover of Redis what the fleet could have seen them by."""
    return {"postgres", "failover"} <= losses


class Ledger:
    def __init__(self, folder, client):
        self.folder = folder
        self.index = {key: (0, 0, fields) for key, fields in contents(client).items()}  # key: (version, token, fields or None)
        self.by_token = dict(self.index)
        self.trails = {}  # key: the last words about it, for who wants to know why it is outdated
        self.told = 0
        os.mkdir(folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def read(self, moved=False):
        """Takes in what was written since; to be called when no consumer is at work. moved: another Redis was made the primary meanwhile."""
        words = [word for name in os.listdir(self.folder) for word in self._words(name)]
        for token, name, told in sorted(words, key=lambda word: word[0]):
            self._enter(token, name, told, moved)

    def _words(self, name):
        consumer, token, _ = name.split("-")
        with open(self.path(name), encoding="utf-8", errors="replace") as file:
            yield from ((int(token), consumer, json.loads(line)) for line in file if line.endswith("}\n"))
        os.unlink(self.path(name))

    def _enter(self, token, name, told, moved):
        self.told += 1
        self.trails.setdefault(told["key"], deque(maxlen=TRAIL)).append((f"consumer {name}", told.get("version"), token, told.get("doc")))
        version, known_token, _ = self.index.get(told["key"], (0, 0, None))
        mine = (told.get("version") or (version if token > known_token else 0), token)
        if mine >= (version, known_token):
            self.index[told["key"]] = (*mine, plain(told.get("doc")) or None)
        if not (moved and self._is_older(told)):
            self.by_token[told["key"]] = (*mine, plain(told.get("doc")) or None)  # they come in this order

    def _is_older(self, told):
        """What a former primary may say, which gives tokens by its clock until it knows, to a consumer that was stopped or that no
        sentinel reached."""
        return told.get("version") and told["version"] < self.by_token.get(told["key"], (0,))[0]

    def outdated(self, client, losses):
        """Documents of whose last change no consumer was told. losses: "redis" and "postgres" lost what they had, or
        a "failover" of Redis the last of it."""
        now, newest = contents(client), int(client.hget("pgusher:fleet:default", "epoch") or 0)
        return [line for kind, index in (("version", self.index), ("token", self.by_token))
                for line in self._compare(kind, index, now, losses, newest)]

    def _compare(self, kind, index, now, losses, newest):
        for key, (version, token, fields) in index.items():
            if fields != now.get(key) and may_be_unknown(losses) and epoch(version) < newest:
                index[key] = (version, token, now.get(key))
        for key in [key for key, (*_, fields) in index.items() if fields and key not in now and is_forgotten(key, fields, losses)]:
            del index[key]
        kept = {key: fields for key, (*_, fields) in index.items() if fields}
        return sorted(f"{key}: it is {now.get(key)}, the index by {kind} has {index.get(key)} after {list(self.trails.get(key, []))}"
                      for key in now.keys() | kept.keys() if now.get(key) != kept.get(key))
