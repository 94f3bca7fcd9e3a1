"""A Redis Cluster of three primaries on 127.0.0.1, each with so many replicas."""
import contextlib
import os

import pytest
import redis
from redis.cluster import ClusterNode

from . import certificates
from .ports import free_ports
from .processes import run
from .redis_server import RedisServer
from .waiting import until


class RedisCluster:
    def __init__(self, folder, replicas=0, password=None, tls=None):
        """tls: a folder of certificates, if they talk by TLS only."""
        count = 3 * (1 + replicas)
        ports = free_ports(2 * count)
        self.folder = folder
        self.replicas = replicas
        self.login = ["-a", password, "--no-auth-warning"] if password else []
        self.tls = tls
        self.password = password
        self.nodes = [self.node(port, bus) for port, bus in zip(ports[:count], ports[count:])]
        self.addresses = [f"127.0.0.1:{port}" for port in ports[:count]]
        self.urls = [f"redis://{address}" for address in self.addresses]
        self.client = None

    def node(self, port, bus):
        locked = ["--requirepass", self.password, "--masterauth", self.password] if self.password else []
        locked += ["--tls-cluster", "yes"] if self.tls else []
        return RedisServer(f"{self.folder}-{port}", *certificates.fleet(self.tls, port), "--bind", "127.0.0.1", "--cluster-enabled", "yes",
                           "--cluster-port", str(bus), "--cluster-node-timeout", "2000", "--appendonly", "yes",
                           "--repl-diskless-sync-delay", "0", *locked)

    @property
    def url(self):
        return certificates.url("cluster", ",".join(self.addresses), self.tls)

    def start(self):
        for node in self.nodes:
            node.start()
        secured = ["--tls", "--cacert", f"{self.tls}/ours.crt"] if self.tls else []
        done = run(["redis-cli", *self.login, *secured, "--cluster", "create", *self.addresses, "--cluster-replicas",
                    str(self.replicas), "--cluster-yes"])
        if done.returncode:
            pytest.skip(f"no Redis Cluster can be had here: {done.stdout[-300:]}")
        until(self.is_well, 20, "the cluster is up")
        self.client = self.connect()

    def add(self):
        """A primary without slots, known to all; its number."""
        port, bus = free_ports(2)
        self.nodes.append(self.node(port, bus))
        self.nodes[-1].start()
        self.addresses.append(f"127.0.0.1:{port}")
        self.urls.append(f"redis://127.0.0.1:{port}")
        self.call(0, "CLUSTER", "MEET", "127.0.0.1", str(port), str(bus))
        until(self.is_well, 20, "it knows them, and that all slots are served")
        return len(self.nodes) - 1

    def reshard(self, source, target, count):
        """So many slots, by redis-cli, while clients go on."""
        ids = [self.call(number, "CLUSTER", "MYID").strip() for number in (source, target)]
        done = run(["redis-cli", "--cluster", "reshard", self.addresses[source], "--cluster-from", ids[0], "--cluster-to", ids[1],
                    "--cluster-slots", str(count), "--cluster-yes"])
        assert done.returncode == 0, done.stdout[-800:].decode() + done.stderr.decode()
        self.client.nodes_manager.initialize()

    def connect(self, but=None):
        """By way of any node but this one, which may be stopped."""
        nodes = [ClusterNode(*address.split(":")) for number, address in enumerate(self.addresses) if number != but]
        return redis.RedisCluster(startup_nodes=nodes, password=self.password, socket_timeout=5, **certificates.trusting(self.tls))

    def call(self, number, *words):
        """What redis-cli says on this node."""
        return run(["redis-cli", *self.login, "-s", self.nodes[number].socket, *words]).stdout.decode()

    def is_well(self):
        """Every node says so, and every replica has caught up with its primary."""
        said = [self.call(number, "CLUSTER", "INFO") for number in range(len(self.nodes))]
        links = [self.call(number, "INFO", "replication") for number in range(len(self.nodes))]
        return all("cluster_state:ok" in text for text in said) and \
            sum("master_link_status:up" in text for text in links) == 3 * self.replicas

    def slot_owner(self, key):
        """Number of the node that has this key."""
        port = self.client.get_node_from_key(key).port
        return next(number for number, url in enumerate(self.urls) if url.endswith(f":{port}"))

    def primaries(self):
        """The numbers of those that live and say they are one."""
        return [number for number, node in enumerate(self.nodes)
                if node.process and self.call(number, "ROLE").startswith("master")]

    def remove(self):
        for node in self.nodes:
            if os.path.isdir(node.folder):
                node.remove()


@contextlib.contextmanager
def running(folder, **options):
    cluster = RedisCluster(folder, **options)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()


def move_slot(cluster, slot, source, target):
    """As redis-cli --cluster reshard does it, in the middle of traffic."""
    nodes = [server.client for server in cluster.nodes[:3]]
    ids = [node.execute_command("CLUSTER", "MYID").decode() for node in nodes]
    host, port = cluster.addresses[target].split(":")
    nodes[target].execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
    nodes[source].execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
    while (keys := nodes[source].execute_command("CLUSTER", "GETKEYSINSLOT", slot, 1)):
        nodes[source].execute_command("MIGRATE", host, port, "", 0, 5000, "KEYS", *keys)
    for number in (target, source, 3 - target - source):
        nodes[number].execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[target])
