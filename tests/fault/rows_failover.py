"""The PostgreSQL primary is gone for good and its standby takes over."""
from pair import AsynchronousPair, SynchronousPair
from table import row

GHOSTS = 900_000  # ids from here on only the lost transactions have


def identity(scene):
    return scene.db.value("SELECT identity FROM pgusher.fleet WHERE name = 'default'")


def new_primary_known(scene):
    return identity(scene) != scene.identity


def promote(scene):
    scene.bed.take_over()
    scene.box.db = scene.db


@row("PostgreSQL: primary lost, synchronous standby", quick="draining",
     bed=SynchronousPair, wears=True, covered=False, noticed=new_primary_known)
def synchronous(scene):
    scene.identity = identity(scene)
    scene.until(scene.bed.replicating, 10, "the standby follows")
    scene.bed.fail()
    yield
    promote(scene)


def write_ghosts(scene):
    """Rows, changes and deletions that will never have been, and Redis has them all."""
    scene.db.sql("INSERT INTO event SELECT %s + n, 1, 'ghost', now() + interval '9 days' FROM generate_series(1, 50) n", GHOSTS)
    scene.db.sql("INSERT INTO ticket SELECT %s + n, %s + n / 4, n FROM generate_series(4, 199) n", GHOSTS, GHOSTS)
    scene.db.sql("UPDATE event SET name = 'never so called' WHERE id IN (5, 6)")
    scene.db.sql("DELETE FROM event WHERE id IN (9, 10)")
    scene.until_caught_up()


@row("PostgreSQL: primary lost, standby lost the last", quick="mid-batch",
     bed=AsynchronousPair, wears=True, covered=False, noticed=new_primary_known)
def asynchronous(scene):
    scene.identity = identity(scene)
    scene.until(scene.bed.replicating, 10, "the standby follows")
    if scene.load is None:
        scene.start_load()
    scene.bed.detach()
    scene.until(lambda: not scene.bed.replicating(), 10, "the standby is on its own")
    scene.rest(1)
    write_ghosts(scene)
    scene.bed.fail()
    yield
    promote(scene)
    assert scene.bed.redis.client.exists(f"event:{GHOSTS + 1}") and not scene.db.sql("SELECT FROM event WHERE id > %s", GHOSTS)
