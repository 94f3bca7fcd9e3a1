"""A server that speaks to whoever connects as an attacker would: not a stand-in for Redis, which every other test has."""
import random
import socket
import threading


class HostileRedis:
    """say(connection) is called for each that connects, in a thread of its own; it may write what it likes."""

    def __init__(self, say):
        self.say = say
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection):
        try:
            self.say(connection)
        except OSError:
            pass  # whoever it was has had enough

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        for link in [self.listener, *self.connections]:
            link.close()


def answering(reply):
    """The same reply to whatever is asked."""
    def say(connection):
        while connection.recv(65536):
            connection.sendall(reply)
    return say


def pouring(head, piece):
    """Once asked, it never ends."""
    def say(connection):
        connection.recv(65536)
        connection.sendall(head)
        while True:
            connection.sendall(piece)
    return say


ODD = [b":1\r\n", b"$-1\r\n", b"+OK\r\n", b"$1\r\n0\r\n", b"*0\r\n", b"*-1\r\n", b"*1\r\n$-1\r\n", b"*2\r\n:1\r\n:2\r\n", b"*2\r\n$1\r\n0\r\n:7\r\n",
       b"*2\r\n$1\r\n0\r\n*2\r\n:5\r\n$1\r\nx\r\n", b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\nx\r\n", b"*1\r\n*3\r\n:0\r\n:16383\r\n*0\r\n",
       b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n:1\r\n$1\r\nx\r\n", b"-ERR no\r\n", b"*4\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n"]


def commands_in(data):
    """How many whole commands of bulk strings, and what is left over."""
    count = 0
    while data.startswith(b"*") and b"\r\n" in data:
        rest = data
        for _ in range(int(data[1:data.index(b"\r\n")]) + 1):
            head, found, rest = rest.partition(b"\r\n")
            if not found:
                return count, data
            if head.startswith(b"$"):
                if len(rest) < int(head[1:]) + 2:
                    return count, data
                rest = rest[int(head[1:]) + 2:]
        count, data = count + 1, rest
    return count, data


def answering_by_chance(seed):
    """One reply for each command, of any shape."""
    def say(connection):
        chance, data = random.Random(seed), b""
        while received := connection.recv(65536):
            count, data = commands_in(data + received)
            connection.sendall(b"".join(chance.choice(ODD) for _ in range(count)))
    return say
