"""Workers that die, hang, leave and come."""
import signal

from table import row


def victim(scene):
    return scene.dice.choice(scene.workers)


def kill(*workers):
    for worker in workers:
        worker.kill()


@row("worker killed (-9), one of four", quick="mid-batch", workers=4)
def kill_one(scene):
    kill(victim(scene))
    yield


@row("worker killed (-9), all of four", workers=4, covered=False)
def kill_all(scene):
    kill(*scene.workers)
    yield
    scene.start_workers()


@row("worker killed (-9), ten rounds", workers=4, hold=0)
def ten_rounds(scene):
    yield
    for _ in range(10):
        kill(victim(scene))
        scene.rest(0.1 + 0.4 * scene.dice.random())
        scene.start_workers(1)
        scene.rest(0.3 * scene.dice.random())


@row("worker stopped (-STOP, -CONT), one of four", quick="draining", workers=4, hold=6)
def stop_one(scene):
    worker = victim(scene)
    worker.process.send_signal(signal.SIGSTOP)
    yield
    worker.process.send_signal(signal.SIGCONT)


@row("worker stopped (-STOP, -CONT), all of four", workers=4, hold=4, covered=False)
def stop_all(scene):
    workers = scene.workers
    for worker in workers:
        worker.process.send_signal(signal.SIGSTOP)
    yield
    for worker in workers:
        worker.process.send_signal(signal.SIGCONT)


@row("worker stopped for a moment, ten rounds", workers=4, hold=0)
def stop_rounds(scene):
    yield
    for _ in range(10):
        worker = victim(scene)
        worker.process.send_signal(signal.SIGSTOP)
        scene.rest(0.5 * scene.dice.random())
        worker.process.send_signal(signal.SIGCONT)


@row("worker ended (-TERM), one of four", workers=4)
def term_one(scene):
    victim(scene).stop()
    yield


@row("worker ended (-TERM), all of four", workers=4, covered=False)
def term_all(scene):
    scene.end_workers()
    yield
    scene.start_workers()


@row("a fifth worker joins", workers=4)
def fifth_joins(scene):
    scene.start_workers(1)
    yield
    scene.until(lambda: scene.owners.even(5), 2, "partitions are spread over five")
