"""A Redis Cluster of three primaries on 127.0.0.1, on ports that were free when it was started."""
import os
import socket

import pytest
import redis

from .processes import run
from .redis_server import RedisServer
from .waiting import until


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    except OSError as error:
        pytest.skip(f"no ports can be had for a Redis Cluster: {error}")
    finally:
        for one in sockets:
            one.close()


class QueueCluster:
    def __init__(self, folder):
        ports = free_ports(6)
        self.nodes = [RedisServer(f"{folder}-{port}", "--port", str(port), "--bind", "127.0.0.1",
                                  "--cluster-enabled", "yes", "--cluster-port", str(bus),
                                  "--cluster-node-timeout", "2000", "--appendonly", "yes")
                      for port, bus in zip(ports[:3], ports[3:])]
        self.urls = [f"redis://127.0.0.1:{port}" for port in ports[:3]]
        self.addresses = [f"127.0.0.1:{port}" for port in ports[:3]]
        self.client = None

    def start(self):
        for node in self.nodes:
            node.start()
        done = run(["redis-cli", "--cluster", "create", *self.addresses, "--cluster-yes"])
        if done.returncode:
            pytest.skip(f"no Redis Cluster can be had here: {done.stdout[-300:]}")
        until(lambda: all(b"cluster_state:ok" in run(["redis-cli", "-s", node.socket, "CLUSTER", "INFO"]).stdout
                          for node in self.nodes), 20, "the cluster is up")
        host, port = self.addresses[0].split(":")
        self.client = redis.RedisCluster(host=host, port=int(port))

    def slot_owner(self, key):
        """Number of the node that has this key."""
        port = self.client.get_node_from_key(key).port
        return next(number for number, url in enumerate(self.urls) if url.endswith(f":{port}"))

    def remove(self):
        for node in self.nodes:
            if os.path.isdir(node.folder):
                node.remove()
