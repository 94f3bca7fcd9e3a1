"""Documents put, per Redis core: the guarded script against others without any guard, and against plain commands.

A ticket's document, 9 fields and a date, in calls of 200. The figure is the processor time that redis-server took, so
that neither the client nor who else is on the machine counts. Each is done to an empty database, then again with other
values.
"""
import hashlib
import os
import socket
import subprocess
import sys

from contest import HERE, private_redis
from report import OURS, Row, Samples, first_line, publish, rotated, rounds_wanted, table

sys.path.insert(0, os.path.join(HERE, "..", "integration"))
from harness.packed import packed  # noqa: E402 (its folder must be known first)

DOCUMENTS, CALL = 20_000, 200
EXPIRE_AT, TOMBSTONE_MS = 4_000_000_000_000, 600_000

HSET_ALL = """for i = 1, #KEYS do
  redis.call('HSET', KEYS[i], unpack(ARGV, 23 * i - 21, 23 * i))
  redis.call('PEXPIREAT', KEYS[i], ARGV[23 * i - 22])
end"""
RESTORE_ALL = "for i = 1, #KEYS do redis.call('RESTORE', KEYS[i], ARGV[2 * i - 1], ARGV[2 * i], 'ABSTTL', 'REPLACE') end"
HSET_SCRIPT, RESTORE_SCRIPT = "script of HSET, no guard", "script of RESTORE, no guard"
HSET, HSET_EXPIRE = "HSET", "HSET + PEXPIREAT"

NEW, CHANGED, UNCHANGED = "new documents, a core", "changed documents, a core", "unchanged documents, a core"
UNITS = {figure: "{:,.0f}/s" for figure in (NEW, CHANGED, UNCHANGED)}
ROWS = [
    Row(NEW, RESTORE_SCRIPT, "0.8", at_least=0.8),
    Row(NEW, HSET_SCRIPT, "2", at_least=0.8),
    Row(NEW, HSET_EXPIRE),
    Row(NEW, HSET),
    Row(CHANGED, RESTORE_SCRIPT, "0.5"),
    Row(CHANGED, HSET_SCRIPT, "1"),
    Row(UNCHANGED),
]


def command(*words):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def ticket(number, turn):
    event = number % 20_000 + 1
    return {"id": number, "event_id": event, "price": f"{10 + (number + turn) % 90}.50", "sold": "f",
            "seat": f"Row {number % 40}, seat {number % 25}", "event": f"Event {event}",
            "starts_at": "2026-12-21 03:14:00+00", "venue": f"Venue {event % 1000 + 1}", "city": f"City {event % 100}"}


class Document:
    def __init__(self, number, turn):
        self.key = f"ticket:{number}"
        self.tombstone = f"pgusher:gone:{{{self.key}}}"
        fields = ticket(number, turn)
        digest = hashlib.md5(repr(fields).encode()).hexdigest()[:16]
        self.words = [word for field in {"_v": 10 ** 12 + turn, "_d": digest, **fields}.items() for word in field]
        self.packed = packed(10 ** 12 + turn, digest, fields)


def call(sha, documents, keys, *arguments):
    return command("EVALSHA", sha, len(keys), *keys, *arguments,
                   *(word for document in documents for word in (EXPIRE_AT, document.packed)))


class Contest:
    def __init__(self, server):
        self.server = server
        self.samples = Samples(UNITS)
        ours = subprocess.run([f"{HERE}/../../lua/include.sh", f"{HERE}/../../lua/put.lua"], capture_output=True, check=True)
        self.ours, self.hset, self.restore = map(server.client.script_load, (ours.stdout, HSET_ALL, RESTORE_ALL))
        self.calls = {}
        for turn in range(2):
            for first in range(0, DOCUMENTS, CALL):
                self.prepare(turn, [Document(number, turn) for number in range(first, first + CALL)])

    def prepare(self, turn, documents):
        """The bytes that each contestant is sent."""
        keys = [document.key for document in documents]
        hset = [command("HSET", document.key, *document.words) for document in documents]
        expire = [command("PEXPIREAT", key, EXPIRE_AT) for key in keys]
        words = [word for document in documents for word in (EXPIRE_AT, *document.words)]
        for who, sent in {
                OURS: call(self.ours, documents, keys + [document.tombstone for document in documents], TOMBSTONE_MS),
                RESTORE_SCRIPT: call(self.restore, documents, keys),
                HSET_SCRIPT: command("EVALSHA", self.hset, len(keys), *keys, *words),
                HSET: b"".join(hset),
                HSET_EXPIRE: b"".join(word for both in zip(hset, expire) for word in both)}.items():
            self.calls.setdefault((who, turn), []).append(sent)

    def processor_seconds(self):
        with open(f"/proc/{self.server.process.pid}/schedstat", encoding="utf-8") as file:
            return int(file.read().split()[0]) / 1e9

    def send(self, calls):
        """One after the other, each when the one before was answered. The processor's seconds."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.server.socket)
            before = self.processor_seconds()
            for sent in calls:
                connection.sendall(sent + command("ECHO", "answered"))
                received = b""
                while not received.endswith(b"answered\r\n"):
                    received = received[-10:] + connection.recv(1 << 20)
                    assert b"\r\n-" not in received and received[:1] != b"-", received
            return self.processor_seconds() - before

    def turn(self, who):
        self.server.client.flushall()
        for figure, turn in ((NEW, 0), (CHANGED, 1), (UNCHANGED, 1)):
            self.samples.add(figure, who, DOCUMENTS / self.send(self.calls[who, turn]))


def main():
    rounds = rounds_wanted()
    with private_redis() as server:
        contest = Contest(server)
        contestants = [OURS, RESTORE_SCRIPT, HSET_SCRIPT, HSET, HSET_EXPIRE]
        for i in range(rounds):
            for who in rotated(contestants, i):
                contest.turn(who)
    publish("put", rounds, first_line("redis-server", "--version").partition(" sha=")[0], table(contest.samples, ROWS))


main()
