"""The Redis primary is gone and a replica takes over; slots move."""
import signal
import time

import redis

from redis_beds import MASTER, Sharded, Watched
from table import row


def promoted(scene, old):
    scene.until(lambda: scene.bed.redis.switched(old), 60, "another primary takes writes")


def returned(scene):
    scene.until(scene.bed.redis.settled, 60, "the old primary follows the new one")


@row("Sentinel: primary killed, and returns", bed=Watched, covered=False)
def sentinel_kill(scene):
    old = scene.bed.redis.primary()
    old.stop()
    yield
    promoted(scene, old)
    scene.bed.redis.started_again(old)
    scene.after.append(returned)


@row("Sentinel: primary stopped (-STOP), and returns", bed=Watched, covered=False)
def sentinel_stop(scene):
    old = scene.bed.redis.primary()
    old.process.send_signal(signal.SIGSTOP)
    yield
    promoted(scene, old)
    old.process.send_signal(signal.SIGCONT)
    scene.after.append(returned)


def handed_over(fleet):
    """The primary that a sentinel begins to replace; None while another failover is on its way."""
    old = fleet.primary()
    try:
        fleet.asked[0].execute_command("SENTINEL", "FAILOVER", MASTER)
    except redis.ResponseError:
        return None
    return old


class Request:
    """An operator's. Sentinels give it up when the replica is late, as one that follows another primary since a moment ago may be."""

    def __init__(self, fleet, old):
        self.fleet, self.old = fleet, old
        self.asked_at = time.monotonic()

    def is_met(self):
        if time.monotonic() - self.asked_at > 15 and self.fleet.primary() is self.old:
            handed_over(self.fleet)
            self.asked_at = time.monotonic()
        return self.fleet.switched(self.old)


@row("Sentinel: switched over by an operator (FAILOVER)", bed=Watched, covered=False)
def sentinel_failover(scene):
    request = Request(scene.bed.redis, scene.until(lambda: handed_over(scene.bed.redis), 60, "a sentinel begins"))
    yield
    scene.until(request.is_met, 60, "another primary takes writes")
    scene.after.append(returned)


@row("Sentinel: all sentinels gone, primary stays", bed=Watched, covered=False, hold=2)
def sentinels_gone(scene):
    for sentinel in scene.bed.redis.sentinels:
        sentinel.remove()
    yield
    for sentinel in scene.bed.redis.sentinels:
        sentinel.start()
    scene.after.append(returned)


def writable(scene):
    scene.until(scene.bed.redis.whole, 30, "three primaries again")


@row("Cluster: a primary killed, and returns", bed=Sharded, covered=False)
def cluster_kill(scene):
    old = scene.dice.choice(scene.bed.redis.primaries())
    old.stop()
    yield
    writable(scene)
    scene.bed.redis.started_again(old)
    scene.after.append(returned)


@row("Cluster: a primary stopped (-STOP), and returns", bed=Sharded, covered=False)
def cluster_stop(scene):
    old = scene.dice.choice(scene.bed.redis.primaries())
    old.process.send_signal(signal.SIGSTOP)
    yield
    scene.rest(4)
    old.process.send_signal(signal.SIGCONT)
    writable(scene)
    scene.after.append(returned)


@row("Cluster: slots move while it runs", bed=Sharded, covered=False, hold=0)
def slots_move(scene):
    yield
    source, target, _ = scene.bed.redis.primaries()
    scene.bed.redis.move_slots(source, target, 500)
    scene.bed.redis.move_slots(target, source, 500)
