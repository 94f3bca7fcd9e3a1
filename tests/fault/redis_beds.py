"""Beds whose Redis is more than one server: behind Sentinel, and a cluster with replicas."""
import os
import signal

import redis

from harness.processes import end, run, spawn
from harness.ports import free_ports
from harness.redis_server import RedisServer
from harness.waiting import until
from tools.server import ERRORS, connect, follow

from beds import Bed

HOST = "127.0.0.1"
MASTER = "mymaster"
SENTINEL = """port {port}
bind {host}
dir {folder}
sentinel monitor {master} {host} {primary} 2
sentinel down-after-milliseconds {master} 1000
sentinel failover-timeout {master} 5000
sentinel parallel-syncs {master} 1
"""


class Sentinel:
    """One sentinel process."""

    def __init__(self, folder, port, primary):
        os.mkdir(folder)
        self.path = os.path.join(folder, "sentinel.conf")
        with open(self.path, "w") as file:
            file.write(SENTINEL.format(port=port, host=HOST, folder=folder, master=MASTER, primary=primary))

        self.start()

    def start(self):
        with open(f"{self.path}.log", "ab") as log:
            self.process = spawn(["redis-server", self.path, "--sentinel"], log)

    def remove(self):
        end(self.process, signal.SIGKILL)


class Servers:
    """Several redis-server that a client sees as one."""

    def node(self, folder, port, *options):
        server = RedisServer(os.path.join(folder, f"redis{port}"), "--port", str(port), "--bind", HOST,
                             "--appendonly", "yes", "--repl-diskless-sync-delay", "0", *options)
        server.port = port
        server.client = server.connect(socket_timeout=1)
        server.start()
        return server

    def addresses(self, ports):
        return ",".join(f"{HOST}:{port}" for port in ports)

    def started_again(self, server):
        """It was killed and comes back with what it knew."""
        server.client.connection_pool.disconnect()
        server.start()

    def remove(self):
        self.client.connection_pool.disconnect() if hasattr(self.client, "connection_pool") else self.client.close()
        for part in self.parts:
            part.remove()


def master_of(sentinel):
    """As sentinel_master() says, which redis-py 7 cannot call."""
    return sentinel.execute_command("SENTINEL MASTER", MASTER)


class SentinelServers(Servers):
    def __init__(self, folder):
        ports = free_ports(6)
        self.nodes = [self.node(folder, ports[0])]
        self.nodes += [self.node(folder, port) for port in ports[1:3]]
        for node in self.nodes[1:]:  # not as an option: a server that is started again must not follow whom it followed once
            node.client.replicaof(HOST, ports[0])
        self.sentinels = [Sentinel(os.path.join(folder, f"sentinel{port}"), port, ports[0]) for port in ports[3:]]
        self.parts = [*self.sentinels, *self.nodes]
        self.url = f"redis+sentinel://{self.addresses(ports[3:])}/{MASTER}"
        self.asked = [connect(f"redis://{HOST}:{port}") for port in ports[3:]]
        until(self.settled, 30, "the sentinels know each other and the replicas")
        self.client = connect(self.url)

    def replica_again(self, server):
        """A replica was killed, and comes back as one of the primary of now, which its sentinels had written into its configuration."""
        usual = server.options
        server.options = (*usual, "--replicaof", f"{HOST} {self.primary().port}")
        self.started_again(server)
        server.options = usual

    def settled(self):
        """Two replicas that follow, three sentinels that agree."""
        try:
            told = [master_of(sentinel) for sentinel in self.asked]
            primary = self.primary()
            follow = [node.client.info("replication") for node in self.nodes if node is not primary]
        except redis.RedisError:
            return False  # one of them is not up yet
        return (all(one["num-slaves"] == 2 and one["num-other-sentinels"] == 2 and one["flags"] == "master" for one in told)
                and len({one["port"] for one in told}) == 1 and all(one.get("master_link_status") == "up" for one in follow))

    def switched(self, old):
        """Whether the sentinels name another primary, and it takes writes."""
        try:
            follow(self.client)
            return self.primary() is not old and self.client.set("pgusher:probe", 1, px=1)
        except ERRORS:
            return False

    def config_epoch(self):
        """It is another after each failover."""
        return max(master_of(sentinel)["config-epoch"] for sentinel in self.asked)

    def primary(self):
        port = master_of(self.asked[0])["port"]
        return next(node for node in self.nodes if node.port == port)


class ClusterServers(Servers):
    def __init__(self, folder):
        ports = free_ports(12)
        self.nodes = [self.node(folder, port, "--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-node-timeout", "1500",
                                "--cluster-replica-validity-factor", "0") for port, bus in zip(ports[:6], ports[6:])]
        self.parts = self.nodes
        self.url = f"redis+cluster://{self.addresses(ports[:6])}"
        done = run(["redis-cli", "--cluster", "create", *self.addresses(ports[:6]).split(","), "--cluster-replicas", "1",
                    "--cluster-yes"])
        assert done.returncode == 0, done.stdout[-500:].decode() + done.stderr.decode()
        until(self.settled, 30, "the cluster is up and its replicas follow")
        self.client = connect(self.url)

    def settled(self):
        roles = [self.role(node) for node in self.nodes]
        return self.whole() and all(role.get("role") == "master" or role.get("master_link_status") == "up" for role in roles)

    def whole(self):
        """Three primaries that serve all slots."""
        primaries = self.primaries()
        return len(primaries) == 3 and all(node.client.cluster("INFO")["cluster_state"] == "ok" for node in primaries)

    def role(self, node):
        try:
            return node.client.info("replication")
        except redis.RedisError:
            return {}

    def primaries(self):
        return [node for node in self.nodes if self.role(node).get("role") == "master"]

    def move_slots(self, source, target, count):
        """Reshards while clients go on."""
        ids = [node.client.execute_command("CLUSTER MYID") for node in (source, target)]
        ids = [one.decode() if isinstance(one, bytes) else one for one in ids]
        arguments = ["--cluster-from", ids[0], "--cluster-to", ids[1], "--cluster-slots", str(count), "--cluster-yes"]
        until(lambda: run(["redis-cli", "--cluster", "reshard", f"{HOST}:{source.port}", *arguments]).returncode == 0, 30,
              "the nodes agree, and the slots have moved", every=0.2)


class Watched(Bed):
    """A primary, two replicas, three sentinels."""

    def start_redis(self):
        folder = os.path.join(self.folder, "redis")
        os.mkdir(folder)
        self.redis = self.add(SentinelServers(folder))


class Sharded(Bed):
    """Three primaries, each with a replica."""

    def start_redis(self):
        folder = os.path.join(self.folder, "redis")
        os.mkdir(folder)
        self.redis = self.add(ClusterServers(folder))
