"""A server that speaks to whoever connects as an attacker would: not a stand-in for Redis, which every other test has."""
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
