"""Stands between a program and Redis and loses answers: what was asked has been done, and the asker never hears of it."""
import os
import random
import select
import socket
import threading


class Relay:
    """Listens at .url. lose(n) loses the next n answers, each with its connection; lossy(p) loses one in 1/p. before(word, act): act() is
    called once, before the next question that holds the word goes on."""

    def __init__(self, folder, server):
        self.path = os.path.join(folder, "relay.sock")
        self.url = f"unix://{self.path}"
        self.lost = 0
        self._server = server.socket
        self._to_lose = 0
        self._chance = 0.0
        self._word, self._act = None, None
        self._dice = random.Random(1)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(50)
        self._pairs = {}  # each socket's other end, in both directions
        self._answers = set()  # the ends where Redis answers
        self._end, self._ended = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        os.write(self._ended, b"x")
        self._thread.join()
        for end in [self._listener, *self._pairs]:
            end.close()
        os.close(self._end), os.close(self._ended)
        os.unlink(self.path)

    def lose(self, answers=1):
        self._to_lose = answers

    def lossy(self, chance):
        self._chance = chance

    def before(self, word, act):
        self._word, self._act = word, act

    def _run(self):
        while True:
            ready = select.select([self._listener, self._end, *self._pairs], [], [])[0]
            if self._end in ready:
                return
            for end in ready:
                self._accept() if end is self._listener else self._move(end)

    def _accept(self):
        asker, _ = self._listener.accept()
        redis = socket.socket(socket.AF_UNIX)
        try:
            redis.connect(self._server)
        except OSError:
            asker.close()
            return
        self._pairs[asker], self._pairs[redis] = redis, asker
        self._answers.add(redis)

    def _move(self, end):
        if end not in self._pairs:
            return  # closed with its other end in this round
        try:
            data = end.recv(1 << 16)
            if not data or (end in self._answers and self._loses()):
                raise OSError
            if self._word and end not in self._answers and self._word in data:
                self._word = None
                self._act()
            self._pairs[end].sendall(data)
        except OSError:
            self._close(end)

    def _loses(self):
        if self._to_lose <= 0 and self._dice.random() >= self._chance:
            return False
        self._to_lose -= self._to_lose > 0
        self.lost += 1
        return True

    def _close(self, end):
        other = self._pairs.pop(end)
        del self._pairs[other]
        for one in (end, other):
            self._answers.discard(one)
            one.close()
