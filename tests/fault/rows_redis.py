"""Redis restarts, forgets, refuses, and the network to it fails."""
import signal

from harness.processes import end
from beds import Volatile
from table import row


def crash(scene):
    end(scene.bed.redis.process, signal.SIGKILL)


def dataset_known(scene):
    """The fleet has put its mark beside the data again."""
    return scene.bed.redis.client.exists("pgusher:fleet:default")


@row("Redis: killed, restarted with its data", quick="draining", covered=False)
def restart_kept(scene):
    crash(scene)
    yield
    scene.bed.redis.start()


@row("Redis: killed, restarted empty", covered=False, bed=Volatile, noticed=dataset_known)
def restart_empty(scene):
    crash(scene)
    yield
    scene.bed.redis.start()


@row("Redis: FLUSHALL", quick="mid-batch", hold=0, noticed=dataset_known)
def flushall(scene):
    scene.bed.redis.client.flushall()
    yield


@row("Redis: stopped (-STOP, -CONT)", covered=False, hold=4)
def stopped(scene):
    scene.bed.redis.process.send_signal(signal.SIGSTOP)
    yield
    scene.bed.redis.process.send_signal(signal.SIGCONT)


@row("Redis: becomes a replica (READONLY), and primary again", covered=False, hold=2)
def readonly(scene):
    scene.bed.redis.client.execute_command("REPLICAOF", "127.0.0.1", "1")
    yield
    scene.bed.redis.client.execute_command("REPLICAOF", "NO", "ONE")


def rewrite(scene):
    """Makes the append-only file short: the delay of loading is one for every command in it."""
    client = scene.bed.redis.client
    client.bgrewriteaof()
    scene.until(lambda: not client.info("persistence")["aof_rewrite_in_progress"]
                and not client.info("persistence")["aof_rewrite_scheduled"], 30, "the append-only file is rewritten")


@row("Redis: loads for seconds (LOADING)", covered=False, hold=3)
def loading(scene):
    rewrite(scene)
    crash(scene)
    options = scene.bed.redis.options
    keys = 4 * scene.db.value("SELECT count(*) FROM event")
    scene.bed.redis.options = (*options, "--key-load-delay", str(3_000_000 // keys), "--loading-process-events-interval-bytes", "1024")
    scene.bed.redis.start(until_up=False)
    yield
    scene.bed.redis.options = options
    scene.until(lambda: scene.bed.redis.is_up(), 30, "Redis has loaded")
    scene.bed.redis.client.config_set("key-load-delay", 0)


@row("Redis: full (OOM), then freed", covered=False, hold=2)
def full(scene):
    client = scene.bed.redis.client
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", int(client.info("memory")["used_memory"]) - 1_000_000)
    yield
    client.config_set("maxmemory", 0)


@row("Redis: asks for a password (NOAUTH), then not", covered=False, hold=2)
def noauth(scene):
    client = scene.bed.redis.client
    client.config_set("requirepass", "secret")
    client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    yield
    client.config_set("requirepass", "")


@row("Redis: SCRIPT FLUSH, ten rounds", hold=0)
def script_flush(scene):
    yield
    for _ in range(10):
        scene.bed.redis.client.script_flush()
        scene.rest(0.3 * scene.dice.random())


@row("Redis: every client killed, ten rounds", hold=0)
def clients_killed(scene):
    yield
    for _ in range(10):
        scene.bed.redis.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        scene.rest(0.4 * scene.dice.random())


def relay(scene):
    scene.network = scene.relay_redis()


@row("Redis: connections reset (RST)", before=relay)
def reset(scene):
    scene.network.cut()
    yield


@row("Redis: connections cut in a reply, ten rounds", before=relay, hold=0)
def cut_in_reply(scene):
    yield
    for _ in range(10):
        scene.network.cut_after(scene.dice.randint(1, 3000))
        scene.rest(0.4 * scene.dice.random())
    scene.notes["cuts"] = scene.network.cuts


@row("Redis: network stalls", covered=False, before=relay, hold=4)
def stall(scene):
    scene.network.stall()
    yield
    scene.network.resume()


@row("Redis: network dead for open connections", covered=False, before=relay)
def strand(scene):
    scene.network.strand()
    yield


@row("Redis: refuses connections", covered=False, before=relay, hold=2)
def refuse(scene):
    scene.network.refuse()
    scene.network.cut()
    yield
    scene.network.accept()
