"""Redis Sentinel on 127.0.0.1: three servers, of which one is the primary, and three sentinels that watch them."""
import contextlib
import os
import shutil
import signal

import redis

from . import certificates
from .ports import free_ports
from .processes import end, spawn
from .redis_server import RedisServer
from .waiting import until

NAME = "mymaster"
DOWN_AFTER_MS = 1000


class Sentinel:
    """One sentinel; it keeps what it knows in its file."""

    def __init__(self, folder, port, primary_port, password=None, data_password=None, tls=None):
        self.folder = folder
        self.port = port
        self.process = None
        self.client = redis.Redis(host="127.0.0.1", port=port, password=password, socket_timeout=5, **certificates.trusting(tls))
        os.mkdir(folder)
        options = certificates.fleet(tls, port)
        lines = [f"{name[2:]} {value}" for name, value in zip(options[::2], options[1::2])]
        lines += ["bind 127.0.0.1", f"dir {folder}", f"sentinel monitor {NAME} 127.0.0.1 {primary_port} 2",
                 f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}", f"sentinel failover-timeout {NAME} 5000"]
        lines += [f"requirepass {password}", f"sentinel sentinel-pass {password}"] if password else []
        lines += [f"sentinel auth-pass {NAME} {data_password}"] if data_password else []
        with open(os.path.join(folder, "sentinel.conf"), "w") as file:
            file.write("\n".join(lines) + "\n")

    def start(self):
        with open(os.path.join(self.folder, "sentinel.log"), "ab") as log:
            self.process = spawn(["redis-server", os.path.join(self.folder, "sentinel.conf"), "--sentinel"], log)
        until(lambda: self.master() is not None, 20, "the sentinel answers")

    def master(self):
        try:
            return self.client.execute_command("SENTINEL MASTER", NAME)
        except (redis.ConnectionError, redis.TimeoutError):
            return None

    def stop(self):
        if self.process:
            self.client.connection_pool.disconnect()
            end(self.process, signal.SIGKILL)
            self.process = None

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder)


def is_replica(server):
    """A server that becomes one cuts its clients off."""
    try:
        return server.client.role()[0] == b"slave"
    except (redis.ConnectionError, redis.TimeoutError):
        return False


class RedisSentinel:
    """Stands where a RedisServer does: url is the sentinels', client is that of the primary of the moment."""

    def __init__(self, folder, password=None, sentinel_password=None, tls=None):
        """tls: a folder of certificates, if they talk by TLS only."""
        ports = free_ports(6)
        self.tls = tls
        self.ports, self.sentinel_ports = ports[:3], ports[3:]
        self.password = password
        self.servers = [RedisServer(f"{folder}-redis-{port}", *self.options(port)) for port in self.ports]
        for server in self.servers:
            server.client = server.connect(password=password, socket_timeout=5)
        self.sentinels = [Sentinel(f"{folder}-sentinel-{port}", port, self.ports[0], sentinel_password, password, tls)
                          for port in self.sentinel_ports]

    def options(self, port):
        first = port == self.ports[0]
        options = [*certificates.fleet(self.tls, port), "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0"]
        options += [] if first else ["--replicaof", "127.0.0.1", str(self.ports[0])]
        return options + (["--requirepass", self.password, "--masterauth", self.password] if self.password else [])

    @property
    def url(self):
        addresses = ",".join(f"127.0.0.1:{port}" for port in self.sentinel_ports)
        return certificates.url("sentinel", f"{addresses}/{NAME}", self.tls)

    @property
    def client(self):
        return self.primary().client

    def start(self):
        for server in (*self.servers, *self.sentinels):
            server.start()
        until(self.is_complete, 30, "the sentinels know each other and the replicas")

    def is_complete(self):
        found = [sentinel.master() for sentinel in self.sentinels]
        return all(one and one["num-slaves"] == 2 and one["num-other-sentinels"] == 2 for one in found) and \
            self.primary().client.info("replication")["connected_slaves"] == 2

    def primary(self):
        """The server that a sentinel with the newest answer names, once it says so itself."""
        return until(self._primary, 30, "there is a primary")

    def _primary(self):
        named = [one for one in (sentinel.master() for sentinel in self.sentinels) if one]
        if not named:
            return None
        newest = max(named, key=lambda one: one["config-epoch"])
        server = self.servers[self.ports.index(newest["port"])]
        try:
            return server if server.client.role()[0] == b"master" else None
        except (redis.ConnectionError, redis.TimeoutError):
            return None

    def until_failed_over(self, old):
        """Until all sentinels agree on another one and the third follows it: elections that overlap promote one after the other."""
        until(lambda: self._is_settled_without(old), 60, "another one is the primary")

    def _is_settled_without(self, old):
        named = [one["port"] for one in (sentinel.master() for sentinel in self.sentinels) if one]
        primary = self._primary()
        if primary in (None, old) or len(set(named)) != 1:
            return False
        third = next(server for server in self.servers if server not in (primary, old))
        try:
            role = third.client.role()
        except (redis.ConnectionError, redis.TimeoutError):
            return False
        return role[0] == b"slave" and role[2] == named[0] and role[3] == b"connected"

    def remove(self):
        for server in (*self.sentinels, *self.servers):
            if os.path.isdir(server.folder):
                server.remove()


@contextlib.contextmanager
def running(folder, *passwords, **options):
    watched = RedisSentinel(folder, *passwords, **options)
    try:
        watched.start()
        yield watched
    finally:
        watched.remove()
