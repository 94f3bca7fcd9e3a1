"""PostgreSQL crashes, ends sessions, and the network to it fails."""
import signal

from table import row

TERMINATE = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE application_name LIKE 'pgusherd%' AND datname = current_database()"""


@row("PostgreSQL: immediate restart", quick="mid-batch", covered=False)
def restart(scene):
    scene.db.disconnect()
    scene.bed.cluster.stop(signal.SIGQUIT)
    yield
    scene.bed.cluster.start()


@row("PostgreSQL: stopped (-STOP, -CONT)", covered=False, hold=3)
def stopped(scene):
    scene.bed.cluster.freeze()
    yield
    scene.bed.cluster.thaw()


@row("PostgreSQL: every worker's session terminated", workers=4)
def terminate(scene):
    assert scene.db.value(TERMINATE) > 0
    yield


@row("PostgreSQL: sessions terminated, ten rounds", workers=4, hold=0)
def terminate_rounds(scene):
    yield
    for _ in range(10):
        scene.db.value(TERMINATE)
        scene.rest(0.4 * scene.dice.random())


def relay(scene):
    scene.network = scene.relay_postgres()


@row("PostgreSQL: connections reset (RST)", before=relay)
def reset(scene):
    scene.network.cut()
    yield


@row("PostgreSQL: connections cut in a reply, ten rounds", quick="draining", before=relay, hold=0)
def cut_in_reply(scene):
    yield
    for _ in range(10):
        scene.network.cut_after(scene.dice.randint(1, 3000))
        scene.rest(0.4 * scene.dice.random())
    scene.notes["cuts"] = scene.network.cuts


@row("PostgreSQL: network stalls", before=relay, hold=4, covered=False)
def stall(scene):
    scene.network.stall()
    yield
    scene.network.resume()


def relay_of_one(scene):
    relay(scene)
    scene.detour()


@row("PostgreSQL: network of one worker of two dead", before=relay_of_one, covered=False)
def strand_one(scene):
    scene.network.strand()
    yield


@row("PostgreSQL: refuses connections", before=relay, hold=2, covered=False)
def refuse(scene):
    scene.network.refuse()
    scene.network.cut()
    yield
    scene.network.accept()


def deaf(scene):
    relay(scene)
    scene.network.deafen()


@row("PostgreSQL: LISTEN is not delivered", before=deaf)
def deafened(scene):
    yield


@row("PostgreSQL: becomes deaf while connected", before=lambda scene: relay(scene) or scene.network.deafen(False), hold=2)
def deafens(scene):
    scene.network.deafen()
    yield
