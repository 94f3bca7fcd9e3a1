"""What a program tells the service manager, read from the socket that it is given."""
import os
import socket
import time

from .waiting import until


class ServiceManager:
    def __init__(self, folder, watchdog_seconds=None):
        self.path = os.path.join(folder, "notify")
        self.prefix = ["env", f"NOTIFY_SOCKET={self.path}"]
        if watchdog_seconds:
            self.prefix.append(f"WATCHDOG_USEC={int(watchdog_seconds * 1e6)}")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(self.path)
        self._told = []  # (when, name, value)

    @property
    def told(self):
        """All that was told so far, as (name, value)."""
        self._receive()
        return [(name, value) for _, name, value in self._told]

    def _receive(self):
        while True:
            try:
                text = self._socket.recv(65536).decode()
            except BlockingIOError:
                return
            self._told += [(time.monotonic(), *line.split("=", 1)) for line in text.splitlines()]

    def values(self, name):
        return [value for told, value in self.told if told == name]

    def count(self, name):
        return len(self.values(name))

    def status(self):
        return (self.values("STATUS") or [""])[-1]

    def until_told(self, name, count=1, seconds=10):
        until(lambda: self.count(name) >= count, seconds, lambda: f"{name} {count} times: {self.told[-20:]}")

    def until_status(self, *words, seconds=10):
        until(lambda: all(word in self.status() for word in words), seconds, lambda: f"STATUS with {words}: {self.told[-20:]}")

    def goes_on(self, name, seconds=10):
        """It is told three times more."""
        self.until_told(name, self.count(name) + 3, seconds)

    def falls_silent(self, name, seconds):
        """From a moment on it is not told for so long."""
        def silent():
            self._receive()
            last = [at for at, told, _ in self._told if told == name]
            return bool(last) and time.monotonic() - last[-1] > seconds
        until(silent, 3 * seconds + 2, lambda: f"{name} ends: {self.told[-20:]}")

    def close(self):
        self._socket.close()
