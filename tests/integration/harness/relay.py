"""Stands between a client and a server and does what a network does when it fails.

    relay = Relay("/run/pg/.s.PGSQL.5432")        listens on 127.0.0.1, on a port that the system picks
    relay = Relay(("127.0.0.1", 6379), "/x/y")    listens on a unix socket

It passes bytes until told otherwise; every call takes effect at once, for open connections too:
stall() keeps all open and passes nothing, new connections included, until resume(); strand() does so for good to what is
open now, and serves new connections; cut() ends all by RST; cut_after(n) ends one connection n bytes on in the server's answers, in
the middle of whatever is there; lose_question(n) ends by RST the connection on which the n-th question from now is asked, which
the server never hears; replace_question(n, other) has the server hear other(question) in its place, and replace_some(p, other)
that of one question in 1/p; refuse() has nobody listening until accept(); deafen() drops PostgreSQL's
NotificationResponse messages; delay(seconds) holds every byte back for so long.
A unix socket knows no RST: there, a cut is an end of file. Bytes that wait for a slow reader are held back in bounded buffers.
"""
import os
import random
import select
import socket
import struct
import threading
import time

CHUNK = 1 << 16
NEGOTIATIONS = (80877103, 80877104)  # SSLRequest and GSSENCRequest: the server answers with one byte
NOTIFICATION = ord("A")


class Deaf:
    """Takes NotificationResponse messages out of what a PostgreSQL server says on one connection."""

    def __init__(self):
        self._bare = 0  # single bytes to come that are no messages
        self._kept = b""
        self.on = False

    def asked(self, data):
        if len(data) == 8 and struct.unpack("!II", data) in [(8, code) for code in NEGOTIATIONS]:
            self._bare += 1

    def heard(self, data):
        """What may be passed on: whole messages. They are followed while it is off, too, so that it can be turned on in
        the middle."""
        data, passed = self._kept + data, []
        at = min(self._bare, len(data))
        self._bare -= at
        passed.append(data[:at])
        while len(data) - at >= 5 and len(data) - at > struct.unpack_from("!I", data, at + 1)[0]:
            end = at + 1 + struct.unpack_from("!I", data, at + 1)[0]
            if not (self.on and data[at] == NOTIFICATION):
                passed.append(data[at:end])
            at = end
        self._kept = data[at:]
        return b"".join(passed)


class Flow:
    """One direction of a connection."""

    def __init__(self, source, target):
        self.source, self.target = source, target
        self.waiting = []  # (due, bytes)
        self.ended = False  # the source has said its last

    def full(self):
        return sum(len(data) for _, data in self.waiting) >= 4 * CHUNK

    def add(self, data, delay):
        due = max(time.monotonic() + delay, self.waiting[-1][0] if self.waiting else 0)
        self.waiting.append((due, data))

    def due(self):
        return self.waiting[0][0] if self.waiting else None

    def send(self):
        """Passes on what is due; returns how much that was."""
        sent = 0
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            due, data = self.waiting[0]
            try:
                count = self.target.send(data)
            except BlockingIOError:
                break
            sent += count
            if count < len(data):
                self.waiting[0] = (due, data[count:])
                break
            del self.waiting[0]
        return sent


class Pair:
    """One connection through the relay: the client's end and the server's end."""

    def __init__(self, client, server):
        self.client, self.server = client, server
        self.asks, self.answers = Flow(client, server), Flow(server, client)
        self.deaf = Deaf()
        self.stranded = False

    def flows(self):
        return self.asks, self.answers

    def close(self, reset):
        for end in (self.client, self.server):
            if reset and end.family != socket.AF_UNIX:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()


class Relay:
    def __init__(self, server, listen=None):
        self._server = server
        self._reserved = None  # keeps the port ours while nobody listens
        self.address = listen or self._reserve()
        self.accepted = 0
        self.cuts = 0  # connections ended by cut() and cut_after()
        self.chosen = 0  # questions that were lost or replaced
        self._pairs = []
        self._listener = None
        self._stalled, self._delay, self._cut_after = False, 0, None
        self.questions, self._lose, self._chance, self._other = 0, None, 0, None
        self.seed = random.SystemRandom().randint(1, 999_999)  # of what replace_some() picks
        self._dice = random.Random(self.seed)
        self._deafened = None  # None: not a PostgreSQL connection, as far as known
        self._lock = threading.RLock()
        self._wake, self._woken = os.pipe2(os.O_NONBLOCK)[::-1]
        self._stopped = False
        self.accept()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    # addresses

    @property
    def port(self):
        return self.address[1]

    @property
    def redis_url(self):
        return f"unix://{self.address}" if isinstance(self.address, str) else "redis://%s:%d" % self.address

    @property
    def conninfo(self):
        """The host and port of a conninfo. The socket of a PostgreSQL relay is named .s.PGSQL.<port>."""
        if not isinstance(self.address, str):
            return "host=%s port=%d" % self.address
        folder, name = os.path.split(self.address)
        return f"host={folder} port={name.rsplit('.', 1)[1]}"

    def _reserve(self):
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", 0))
        return self._reserved.getsockname()

    # what a network does

    def stall(self):
        self._set(_stalled=True)

    def resume(self):
        self._set(_stalled=False)

    def strand(self):
        with self._lock:
            for pair in self._pairs:
                pair.stranded = True
        self._poke()

    def delay(self, seconds):
        self._set(_delay=seconds)

    def cut_after(self, count):
        self._set(_cut_after=count)

    def lose_question(self, number=None):
        """None: only counts them anew."""
        self._set(questions=0, _lose=number, _chance=0, _other=None)

    def replace_question(self, number, other):
        self._set(questions=0, _lose=number, _chance=0, _other=other)

    def replace_some(self, chance, other):
        """0: no more."""
        self._set(questions=0, _lose=None, _chance=chance, _other=other)

    def deafen(self, on=True):
        """For PostgreSQL only. Call it before the first connection (with False, if it is to hear at first)."""
        with self._lock:
            self._deafened = on
            for pair in self._pairs:
                pair.deaf.on = on

    def cut(self):
        """Ends every open connection by RST."""
        with self._lock:
            self.cuts += len(self._pairs)
            for pair in list(self._pairs):
                self._end(pair, reset=True)
        self._poke()

    def refuse(self):
        with self._lock:
            if self._listener:
                self._listener.shutdown(socket.SHUT_RDWR)  # at once, although the thread may be waiting on it
                self._listener.close()
                self._listener = None
                if isinstance(self.address, str):
                    os.unlink(self.address)
        self._poke()

    def accept(self):
        with self._lock:
            if self._listener:
                return
            family = socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET
            self._listener = socket.socket(family)
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(self.address)
            self._listener.listen(64)
            self._listener.setblocking(False)
            if family == socket.AF_UNIX:
                os.chmod(self.address, 0o777)
        self._poke()

    def connections(self):
        with self._lock:
            return len(self._pairs)

    def held(self):
        """Whether bytes are in the relay."""
        with self._lock:
            return any(flow.waiting for pair in self._pairs for flow in pair.flows())

    def stop(self):
        self._set(_stopped=True)
        self._thread.join()
        self.refuse()
        for pair in list(self._pairs):
            self._end(pair, reset=False)
        if self._reserved:
            self._reserved.close()
        os.close(self._wake), os.close(self._woken)

    # the thread

    def _set(self, **values):
        with self._lock:
            for name, value in values.items():
                setattr(self, name, value)
        self._poke()

    def _poke(self):
        try:
            os.write(self._wake, b"x")
        except BlockingIOError:
            pass

    def _run(self):
        while not self._stopped:
            with self._lock:
                reading, writing, timeout = self._interest()
            try:
                readable, _, _ = select.select(reading, writing, [], timeout)
            except (OSError, ValueError):
                continue  # closed by another thread meanwhile
            with self._lock:
                self._turn(readable)

    def _moving(self):
        return [pair for pair in self._pairs if not (self._stalled or pair.stranded)]

    def _interest(self):
        reading, writing, dues = [self._woken], [], []
        if self._listener and not self._stalled:
            reading.append(self._listener)
        now = time.monotonic()
        for flow in (flow for pair in self._moving() for flow in pair.flows()):
            if not flow.full() and not flow.ended:
                reading.append(flow.source)
            if flow.waiting and flow.due() <= now:
                writing.append(flow.target)
            elif flow.waiting:
                dues.append(flow.due() - now)
        return reading, writing, min(dues, default=None)

    def _turn(self, readable):
        if self._woken in readable:
            os.read(self._woken, 4096)
        if self._listener in readable:
            self._take()
        for pair in self._moving():
            try:
                self._move(pair, readable)
            except OSError:
                self._end(pair, reset=True)

    def _take(self):
        client = server = None
        try:
            client, _ = self._listener.accept()
            server = socket.socket(socket.AF_UNIX if isinstance(self._server, str) else socket.AF_INET)
            server.connect(self._server)
        except OSError:
            for end in (client, server):
                if end:
                    end.close()
            return
        self.accepted += 1
        for end in (client, server):
            end.setblocking(False)
            if end.family != socket.AF_UNIX:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pairs.append(Pair(client, server))
        self._pairs[-1].deaf.on = bool(self._deafened)

    def _move(self, pair, readable):
        for flow in pair.flows():
            if flow.source in readable and flow.source.fileno() >= 0:
                self._read(pair, flow)
            sent = flow.send()
            if flow.ended and not flow.waiting:
                return self._end(pair, reset=False)
            if flow is pair.answers and sent and self._cut_reached(pair):
                return

    def _read(self, pair, flow):
        try:
            data = flow.source.recv(CHUNK)
        except BlockingIOError:
            return
        flow.ended = not data
        if flow is pair.asks and data and self._is_chosen():
            if not self._other:
                return self._end(pair, reset=True)
            data = self._other(data)
        if self._deafened is not None:
            pair.deaf.asked(data) if flow is pair.asks else None
            data = pair.deaf.heard(data) if flow is pair.answers else data
        if flow is pair.answers and self._cut_after is not None:
            data = data[:self._cut_after]
            self._cut_after -= len(data)
        if data:
            flow.add(data, self._delay)

    def _is_chosen(self):
        self.questions += 1
        chosen = self.questions == self._lose or self._dice.random() < self._chance
        self.chosen += chosen
        self.cuts += chosen and not self._other
        return chosen

    def _cut_reached(self, pair):
        if self._cut_after != 0 or pair.answers.waiting:
            return False
        self._cut_after = None
        self.cuts += 1
        self._end(pair, reset=False)
        return True

    def _end(self, pair, reset):
        if pair in self._pairs:
            self._pairs.remove(pair)
            pair.close(reset)
