"""A client of the Redis that an URL of ours names: one server, behind Sentinel, or a cluster."""
from urllib.parse import urlsplit

import redis
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import RedisClusterException
from redis.sentinel import Sentinel

ERRORS = (redis.RedisError, RedisClusterException, OSError)  # of a server that is not there, or not as it was
TIMEOUTS = {"socket_timeout": 2}


def addresses(netloc):
    return [(host, int(port)) for host, port in (one.rsplit(":", 1) for one in netloc.rsplit("@", 1)[-1].split(","))]


def connect(url):
    scheme, netloc, path = urlsplit(url)[:3]
    if scheme == "redis+sentinel":
        return Sentinel(addresses(netloc), socket_timeout=0.5).master_for(path.strip("/"), **TIMEOUTS)
    if scheme == "redis+cluster":
        return RedisCluster(startup_nodes=[ClusterNode(*address) for address in addresses(netloc)], **TIMEOUTS)
    return redis.Redis.from_url(url, **TIMEOUTS)


def scan(client, pattern):
    """Keys, each once."""
    return list(set(client.scan_iter(pattern, count=5000)))


def follow(client):
    """After a failover the old primary may take writes for ten seconds more, and a connection to it lives on: this leaves it as soon as
    Sentinel names another. To be called before anything that must not be read there."""
    if hasattr(client, "connection_pool") and hasattr(client.connection_pool, "get_master_address"):
        client.connection_pool.get_master_address()
