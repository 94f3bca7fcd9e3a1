"""consume and a Redis that goes, hangs, forgets, or is not what it was."""
import signal

import pytest

from harness.programs import SLOWER
from harness.queue import QUEUE, Native
from harness.waiting import stays


def test_redis_comes_later(queue, redis_server):
    queue.redis.save_and_stop()
    consumer = queue.consume(queue.handler())
    consumer.says("redis", queue.redis.socket)
    assert consumer.alive()
    queue.redis.start()
    queue.push("a")
    queue.until_counted(acked=1, seconds=20)
    consumer.stop()
    assert consumer.said("level=err") + consumer.said("level=warn") <= 3, "once per outage"


def test_redis_goes_while_the_command_runs(queue, redis_server):
    """What it found out is settled when Redis is back, though it restarted."""
    gate = queue.file("gate")
    consumer = queue.consume(queue.handler(f'until [ -e {gate} ]; do sleep 0.02; done; printf "fail\\tb\\tno\\n" >&3'))
    queue.push("a", "b")
    queue.until(lambda: queue.runs())
    queue.redis.save_and_stop()
    queue.file("gate", "")
    consumer.says("redis")
    queue.redis.start()
    queue.until_counted(acked=1, failed=1, seconds=20)
    assert queue.runs() == [["a", "b"]] and queue.stats()["in_flight"] == 0
    consumer.stop()


def test_redis_hangs(queue, redis_server):
    consumer = queue.consume(queue.handler())
    queue.until_idle()
    queue.redis.process.send_signal(signal.SIGSTOP)
    stays(consumer.alive, 0.3)
    queue.redis.process.send_signal(signal.SIGCONT)
    queue.push("a")
    queue.until_counted(acked=1, seconds=20)
    consumer.stop()


@pytest.mark.parametrize("loss", ["flushall", "restart"])
def test_redis_forgets_everything(queue, redis_server, loss):
    """What was in hand is stale, what comes now is handled."""
    consumer = queue.consume(queue.handler('[ "$1" != a ] || until [ -e %s ]; do sleep 0.02; done' % queue.file("gate")))
    queue.push("a")
    queue.until(lambda: queue.runs())
    if loss == "flushall":
        queue.client.flushall()
    else:
        redis_server.stop()
        redis_server.start()
    queue.file("gate", "")
    queue.push("b")
    queue.until_counted(acked=1, seconds=15)
    assert queue.runs() == [["a"], ["b"]]
    consumer.stop()
    assert queue.empty()


def contents(client):
    return {key: client.dump(key) for key in client.keys(f"{QUEUE}*")}


def test_redis_forgets_an_ack(queue, redis_server):
    """As a failover may: what it believes to be in hand is handled again, and not kept from others by a consumer that lives on."""
    gate = queue.file("gate")
    consumer = queue.consume(queue.handler(f"until [ -e {gate} ]; do sleep 0.02; done"), "--lease", "1 s")
    queue.push("a")
    queue.until(lambda: queue.runs())
    replicated = contents(queue.client)
    queue.file("gate", "")
    queue.until_counted(acked=1)
    for key, value in replicated.items():
        queue.client.restore(key, 0, value, replace=True)
    queue.push("a")  # changed meanwhile
    queue.until(lambda: len(queue.runs()) >= 2, 20)
    queue.until(queue.empty, 20)
    consumer.stop()


def test_redis_becomes_a_replica_for_a_while(queue, redis_server):
    """A failover, seen by who is still connected to the old primary: it waits, and loses nothing."""
    consumer = queue.consume(queue.handler())
    queue.until_idle()
    queue.push("a")
    queue.until_counted(acked=1)
    queue.client.execute_command("REPLICAOF", "127.0.0.1", "1")
    consumer.says("level=w")
    stays(consumer.alive, 0.5)
    result = queue.run("push", QUEUE, "b").must((69, 78))
    assert "read" in result.err.lower()
    queue.client.execute_command("REPLICAOF", "NO", "ONE")
    queue.push("b")
    queue.until_counted(acked=2, seconds=15)
    consumer.stop()


def test_a_consumer_is_deregistered_by_hand(queue):
    """DEL of the registry: it registers again, and goes on."""
    consumer = queue.consume(queue.handler(), "--lease", "1 s")
    queue.until_idle()
    queue.client.delete(f"{QUEUE}:consumers")
    queue.push("a")
    queue.until_counted(acked=1)
    queue.until_registered()
    consumer.stop()


def test_a_full_redis_and_nothing_to_do(queue, redis_server):
    """Above maxmemory Redis refuses the blocking move: it looks now and then instead, and neither spins nor chatters."""
    queue.push("a")
    queue.client.config_set("maxmemory", 1)
    consumer = queue.consume(queue.handler(), "--lease", "1 s")
    queue.until_counted(acked=1)
    stays(consumer.alive, 1.0)
    assert consumer.cpu_seconds() < 0.3 * SLOWER and len(consumer.log.splitlines()) < 6
    queue.client.config_set("maxmemory", 0)
    queue.push("b")
    queue.until_counted(acked=2, seconds=3)
    consumer.stop()


def test_redis_closes_idle_connections(queue, redis_server):
    """`timeout` of redis.conf: the next call finds its connection closed, and opens another."""
    queue.client.config_set("timeout", 1)
    consumer = queue.consume(queue.handler(), "--lease", "60 s")
    queue.until_idle()

    def of_the_consumer():
        return [client for client in queue.client.client_list() if client["id"] != str(queue.client.client_id())]
    assert len(of_the_consumer()) == 2
    queue.until(lambda: len(of_the_consumer()) == 1, 5, of_the_consumer)
    queue.push("a")
    queue.until_counted(acked=1, seconds=3)
    consumer.stop()
    assert not consumer.said("level=error")


def test_many_dead_consumers(queue):
    """Each is found by its lease; one living consumer takes over from all of them at once."""
    queue.push(*(f"event:{number}" for number in range(60)))
    for number in range(60):
        Native(queue.client, f"dead:{number}:x", lease_ms=1).reserve(1)
    consumer = queue.consume(queue.handler(), "--lease", "1 s")
    queue.until_counted(acked=60, recovered=60, seconds=20)
    assert len(set(sum(queue.runs(), []))) == 60 and queue.client.zcard(f"{QUEUE}:consumers") == 1
    consumer.stop()


def test_a_dead_consumer_that_held_much(queue):
    """More than one call may recover."""
    dead = Native(queue.client, "dead:1:x", lease_ms=1)
    for start in range(0, 3500, 500):
        queue.push(*(f"event:{start + number}" for number in range(500)))
        dead.reserve(500)
    assert queue.data("recover", QUEUE) == {"recovered": 3500}
    assert len(queue.waiting()) == len(set(queue.waiting())) == 3500 and queue.stats()["in_flight"] == 0
    queue.once("cat >/dev/null", "--batch", "1000")
    queue.settled(acked=3500, recovered=3500)
