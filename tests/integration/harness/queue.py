"""A queue as its users see it: pgusher-queue, the consumers it runs, and the keys in Redis."""
import functools
import json
import os
import subprocess
import time

import pytest

from .processes import clean_environment, run, spawn
from .programs import SLOWER, Daemon, Result, _read_terminal, path, sanitizer_report
from .waiting import until

QUEUE = "{search}"
PARTS = ("marks", "inflight", "dirty", "meta", "delayed", "dead", "failures", "consumers", "later")
OUTCOMES = ("queued", "coalesced", "dirty", "joined", "revived", "absent")
WORK = ("acked", "failed", "died", "released", "recovered", "requeued")  # counters
PYTHON = "/usr/bin/python3 -I -S"  # starts soonest


# the scripts, as any program may call them

def keys_of(queue=QUEUE):
    """The keys that every script gets, in their order."""
    return [queue, *(f"{queue}:{part}" for part in PARTS)]


@functools.lru_cache(maxsize=None)
def script(name):
    with open(path(f"lua/{name}.lua")) as file:
        return file.read()


def evaluate(client, name, arguments, more_keys=(), queue=QUEUE):
    keys = [*keys_of(queue), *more_keys]
    return client.eval(script(name), len(keys), *keys, *arguments)


def enqueue(client, *items, queue=QUEUE, lane=""):
    """Outcomes of the items, by name."""
    return [OUTCOMES[code] for code in evaluate(client, "enqueue", ["", lane, *items], queue=queue)]


class Native:
    """A consumer that a test moves by hand: it holds, refuses or forgets items as told."""

    def __init__(self, client, name="native:1:a", queue=QUEUE, lease_ms=600_000):
        self.client, self.name, self.queue, self.lease_ms = client, name, queue, lease_ms
        self.held = f"{queue}:processing:{name}"
        self.token = 0

    def _call(self, script_name, *arguments):
        return evaluate(self.client, script_name, [self.name, *arguments], [self.held], self.queue)

    def reserve(self, count=1):
        reply = self._call("reserve", self.lease_ms, count, self.token, "")
        self.token = reply[0] or self.token
        return [item.decode() for item in reply[6]]

    def ack(self, *items):
        return self._call("ack", self.token, *items)

    def nack(self, *items, delay_ms=600_000, reason="no"):
        return self._call("nack", self.token, *(word for item in items for word in (item, delay_ms, reason)))

    def release_all(self):
        return self._call("release", "*")

    def bury(self, *items, reason="hopeless"):
        return self.nack(*items, delay_ms=-1, reason=reason)


# running things

def run_queue(*arguments, input=b"", seconds=30, environment=()):
    argv = ["/usr/bin/env", *environment, path("pgusher-queue"), *arguments]
    done = run(argv, seconds=seconds * SLOWER, input=input)
    result = Result(["pgusher-queue", *(os.fsdecode(word)[:200] for word in arguments)], done.returncode,
                    done.stdout.decode(errors="surrogateescape"), done.stderr.decode(errors="surrogateescape"))
    assert not sanitizer_report(result.err), result
    assert result.code >= 0, f"died by signal {-result.code}:\n{result}"
    return result


class Terminal:
    """A pgusher-queue, or another program, at a pseudo-terminal that a test types on."""

    program = "pgusher-queue"

    def __init__(self, *arguments):
        try:
            self.master, slave = os.openpty()
        except OSError as error:
            pytest.skip(f"no pseudo-terminal can be had here: {error}")
        self.argv = [self.program, *arguments]
        self.process = subprocess.Popen([path(self.program), *arguments], stdin=slave, stdout=slave, stderr=slave,
                                        env=clean_environment(), cwd="/", start_new_session=True)
        os.close(slave)
        self.drawn = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.master)
        self.process.kill()
        self.process.wait()

    def type(self, text):
        os.write(self.master, text)

    def draws(self, text):
        """Reads until this has been drawn since the last call; fails at the end of the program."""
        drawn = b""
        while text not in drawn:
            more = _read_terminal(self.master)
            assert more, f"ended without drawing {text}: {drawn}"
            drawn += more
        self.drawn += drawn
        return drawn

    def ends(self, seconds=10):
        """The result once it has ended."""
        self.drawn += b"".join(iter(lambda: _read_terminal(self.master), b""))
        return Result(self.argv, self.process.wait(seconds * SLOWER), self.drawn.decode(), "")


class Consumer(Daemon):
    """A running `pgusher-queue consume`, or another verb that runs until it is ended."""

    program = "pgusher-queue"

    def __init__(self, log_path, *arguments):
        self.log_path = log_path
        self.argv = [path(self.program), *arguments]
        self.ended = False
        with open(log_path, "wb") as log:
            self.process = spawn(self.argv, log)

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            user, system = file.read().rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


class QueueBox:
    """One queue in one Redis, the consumers run on it, and what they have done."""

    def __init__(self, folder, redis):
        self.folder = folder
        self.redis = redis
        self.client = redis.client
        self.config_path = os.path.join(folder, "pgusher.json")
        self.where = ["--redis", redis.url]
        self.transcript = []
        self.consumers = []

    def file(self, name, text=None, mode=0o644):
        """Path of a file of this test; written when a text is given."""
        place = os.path.join(self.folder, name)
        if text is not None:
            with open(place, "w") as file:
                file.write(text)
            os.chmod(place, mode)
        return place

    def read(self, name):
        try:
            with open(os.path.join(self.folder, name), errors="surrogateescape") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    # configuration

    def use(self, queues=None, **more):
        """From now on with a configuration file instead of --redis."""
        self.write(json.dumps({"redis": self.redis.url, "queues": queues or {QUEUE: {}}, **more}))

    def settings(self, **settings):
        self.use({QUEUE: settings})

    def write(self, text):
        self.file("pgusher.json", text)
        self.where = ["--config", self.config_path]

    # programs

    def run(self, *arguments, **more):
        result = run_queue(*self.where, *arguments, **more)
        self.transcript.append(str(result)[:3000])
        return result

    def data(self, *arguments, **more):
        """What a verb prints with --json."""
        return json.loads(self.run(*arguments, "--json", **more).must(0).out)

    def stats(self):
        return self.data("stats", QUEUE)

    def counters(self, *names):
        counters = self.stats()["counters"]
        return [counters[name] for name in names]

    def push(self, *items):
        return enqueue(self.client, *items)

    def dead(self):
        return {entry["item"]: entry for entry in self.data("dead", QUEUE)}

    def delayed(self):
        return {entry["item"]: entry for entry in self.data("peek", QUEUE, "--delayed", "-n", "1000")}

    # consuming

    def handler(self, body="", name="handler.sh"):
        """A command that notes each run's items, in one line of `runs`, and then does the rest with them as $@."""
        note = f'set -- $(cat)\necho "$*" >>{self.file("runs")}\n'
        return self.file(name, f"#!/bin/sh\n{note}{body}\n", 0o755)

    def runs(self):
        """The items of each run so far."""
        return [line.split() for line in self.read("runs").splitlines()]

    def start(self, *arguments):
        self.consumers.append(Consumer(self.file(f"log-{len(self.consumers) + 1}"), *self.where, *arguments))
        return self.consumers[-1]

    def consume(self, command, *options):
        """Starts a consumer without waiting for anything."""
        return self.start("consume", QUEUE, "--exec", command, *options)

    def once(self, command, *options, code=0, **more):
        return self.run("consume", QUEUE, "--exec", command, "--once", *options, **more).must(code)

    def stop(self):
        """Ends what still runs; a consumer that does not exit properly fails the test."""
        failures = []
        for consumer in self.consumers:
            try:
                if consumer.alive():
                    consumer.stop(15)
            except (AssertionError, subprocess.TimeoutExpired) as failure:
                consumer.kill()
                failures.append(str(failure))
        assert not failures, "\n".join(failures)

    def settled(self, **expected):
        """These counters of consumers' work and no others have grown, and nothing is in flight."""
        stats = self.stats()
        counted = {name: stats["counters"][name] for name in WORK if stats["counters"][name]}
        assert counted == expected and stats["in_flight"] == 0 and stats["dirty"] == 0, stats

    # the state of things

    def until(self, condition, seconds=20, what=None, every=0.01):
        """As until(), but does not wait for a consumer that died."""
        def met():
            assert not any(consumer.died() for consumer in self.consumers), "a consumer ended by itself"
            return condition()
        return until(met, seconds * SLOWER, what, every)

    def until_counted(self, seconds=20, **counters):
        """Waits for these values of Q:meta, without asking the programs."""
        def counted():
            found = self.client.hgetall(f"{QUEUE}:meta")
            return all(int(found.get(name.encode(), 0)) == value for name, value in counters.items())
        self.until(counted, seconds, lambda: f"{counters} in {self.client.hgetall(f'{QUEUE}:meta')}")

    def until_idle(self, consumers=1, seconds=20):
        """Waits until so many wait in a blocking move."""
        self.until(lambda: self.client.info("clients")["blocked_clients"] >= consumers, seconds, "idle consumers")

    def until_registered(self, consumers=1, seconds=20):
        self.until(lambda: self.client.zcard(f"{QUEUE}:consumers") >= consumers, seconds, "registered consumers")

    def empty(self):
        """Whether nothing is waiting, held, delayed or dead."""
        return not self.leftovers()

    def leftovers(self):
        """The queue's keys but for the two that stay; asks with SCAN."""
        kept = {f"{QUEUE}:meta", f"{QUEUE}:consumers"}
        return sorted({key.decode() for key in self.client.scan_iter("{search}*", count=5000)} - kept)

    def waiting(self, queue=QUEUE):
        """What waits, the next to leave first."""
        return [item.decode() for item in reversed(self.client.lrange(queue, 0, -1))]

    def now_ms(self):
        return time.time() * 1000

    def report(self):
        """What helps to understand a failure."""
        yield "commands", "".join(self.transcript)[-6000:]
        yield "runs", self.read("runs")[-2000:]
        for number, consumer in enumerate(self.consumers, 1):
            yield f"consumer {number}", consumer.log[-4000:]
