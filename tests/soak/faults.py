"""Every fault of the storm, by lane: each is a small generator function of the soak that strikes, yields while it holds, and mends.

Those of the fault table are used again where the servers are the same. What a fault chooses by itself it asks soak.dice.
"""
import contextlib
import signal

import psycopg2
import rows_postgres
import rows_redis
import rows_redis_failover as failover

from harness.processes import end

LANES = {}  # lane: {kind: (weight, function)}


def fault(lane, weight, kind=None):
    def register(function):
        LANES.setdefault(lane, {})[kind or function.__name__.replace("_", " ")] = (weight, function)
        return function
    return register


def weights():
    return {lane: {kind: weight for kind, (weight, _) in kinds.items()} for lane, kinds in LANES.items()}


# workers and consumers

def both_crews(weight):
    """The same is done to workers and to consumers, each in their lane."""
    def register(function):
        for lane in ("workers", "consumers"):
            fault(lane, weight)(function)
        return function
    return register


def victim(soak):
    mortal = soak.crew.mortal()
    return soak.dice.choice(mortal) if mortal else None


@both_crews(4)
def one_killed(soak):
    one = victim(soak)
    one.kill()
    yield
    soak.crew.fill()


@both_crews(1)
def all_killed(soak):
    for one in soak.crew.mortal():
        one.kill()
    yield
    soak.crew.fill()


@both_crews(2)
def killed_again_and_again(soak):
    for _ in range(4):
        victim(soak).kill()
        soak.rest(0.4 * soak.dice.random())
        soak.crew.fill()
        soak.rest(0.4 * soak.dice.random())
    yield


@both_crews(3)
def one_stopped(soak):
    one = victim(soak)
    one.process.send_signal(signal.SIGSTOP)
    yield
    one.process.send_signal(signal.SIGCONT)


@both_crews(1)
def all_stopped(soak):
    stopped = soak.crew.alive()
    for one in stopped:
        one.process.send_signal(signal.SIGSTOP)
    yield
    for one in stopped:
        one.process.send_signal(signal.SIGCONT)


@both_crews(2)
def one_ended(soak):
    soak.ends(victim(soak))
    yield
    soak.crew.fill()


@both_crews(1)
def restarted_one_by_one(soak):
    for one in soak.crew.mortal():
        soak.ends(one)
        soak.crew.fill()
    yield


@contextlib.contextmanager
def reads_held_up(soak):
    """Workers that want to read events wait; unless PostgreSQL is away."""
    connection = None
    try:
        connection = soak.db.connect()
        connection.cursor().execute("SET lock_timeout = '5s'; LOCK TABLE event IN ACCESS EXCLUSIVE MODE")
    except psycopg2.Error:
        pass
    yield
    if connection:
        connection.close()


@fault("workers", 4)
def stopped_with_rows_in_hand(soak):
    """Rows come while it is stopped, others go on in its place, and then it has what is old by now."""
    one = victim(soak)
    with reads_held_up(soak):
        soak.rest(0.3 + 0.5 * soak.dice.random())
        one.process.send_signal(signal.SIGSTOP)
    soak.rest(4)
    yield
    one.process.send_signal(signal.SIGCONT)


@fault("workers", 2)
def another_joins(soak):
    one = soak.crew.start(0)
    yield
    soak.ends(one)


@fault("workers", 2)
def configuration_reloaded(soak):
    for one in soak.crew.alive():
        soak.listens(one).reload()
    yield


@fault("workers", 1)
def bad_configuration_refused(soak):
    worker = soak.listens(soak.crew.places[0])  # it has read the good one
    soak.crew.write(0, '{"fleet": ')
    worker.reload()
    yield
    soak.crew.write(0, soak.config_text(0))
    soak.listens(soak.crew.places[0]).reload()


# Redis

def of_table(lane, weight, kind, function):
    fault(lane, weight, kind)(function)


of_table("redis", 3, "primary killed", failover.sentinel_kill)
of_table("redis", 3, "primary stopped", failover.sentinel_stop)
of_table("redis", 2, "switched over", failover.sentinel_failover)
of_table("redis", 1, "sentinels gone", failover.sentinels_gone)
of_table("redis", 1, "scripts forgotten", rows_redis.script_flush)
of_table("redis", 2, "clients killed", rows_redis.clients_killed)


@fault("redis", 2)
def primary_restarted(soak):
    """Sooner than the sentinels miss it, or not."""
    primary = soak.bed.redis.primary()
    end(primary.process, signal.SIGKILL)
    soak.rest(0.2)
    soak.bed.redis.started_again(primary)
    yield
    soak.after.append(failover.returned)


@fault("redis", 1)
def all_restarted(soak):
    servers = soak.bed.redis
    primary = servers.primary()
    for node in servers.nodes:
        end(node.process, signal.SIGKILL)
    yield
    servers.started_again(primary)
    for node in servers.nodes:
        if node is not primary:
            servers.replica_again(node)
    soak.after.append(failover.returned)


@fault("redis", 2)
def replica_restarted(soak):
    primary = soak.bed.redis.primary()
    node = soak.dice.choice([node for node in soak.bed.redis.nodes if node is not primary])
    end(node.process, signal.SIGKILL)
    yield
    soak.bed.redis.replica_again(node)
    soak.after.append(failover.returned)


def configure_all(soak, name, value):
    for node in soak.bed.redis.nodes:
        node.client.config_set(name, value)


@fault("redis", 2)
def full(soak):
    configure_all(soak, "maxmemory", 3_000_000)
    yield
    configure_all(soak, "maxmemory", 0)


@fault("redis", 2)
def too_few_replicas(soak):
    configure_all(soak, "min-replicas-to-write", 3)
    yield
    configure_all(soak, "min-replicas-to-write", 0)


@fault("redis", 1)
def paused(soak):
    soak.bed.redis.client.execute_command("CLIENT", "PAUSE", int(soak.hold * 1000), soak.dice.choice(("WRITE", "ALL")))
    yield


@fault("redis", 0.5)
def flushed(soak):
    soak.losses.add("redis")
    soak.bed.redis.client.flushall()
    yield


# PostgreSQL

of_table("postgres", 2, "killed and restarted", rows_postgres.restart)
of_table("postgres", 1, "stopped", rows_postgres.stopped)
of_table("postgres", 1, "sessions terminated ten times", rows_postgres.terminate_rounds)


@fault("postgres", 2)
def sessions_terminated(soak):
    soak.db.value(rows_postgres.TERMINATE)
    yield


@fault("postgres", 1)
def restarted(soak):
    soak.db.disconnect()
    soak.bed.cluster.stop()
    yield
    soak.bed.cluster.start()


@fault("postgres", 2)
def queries_cancelled(soak):
    for _ in range(10):
        soak.db.sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'pgusherd%'")
        soak.rest(0.2 * soak.dice.random())
    yield


@fault("postgres", 2)
def table_locked(soak):
    connection = soak.db.connect()
    connection.cursor().execute("SET lock_timeout = '20s'; LOCK TABLE event IN ACCESS EXCLUSIVE MODE")
    yield
    connection.rollback()
    connection.close()


@fault("postgres", 1)
def standby_restarted(soak):
    soak.bed.standby.stop(signal.SIGQUIT)
    yield
    soak.bed.standby.start()


def fail_over(soak):
    soak.bed.fail()
    soak.rest(soak.hold)
    soak.bed.take_over()
    soak.bed.renew_standby()


@fault("postgres", 1)
def synchronous_standby_takes_over(soak):
    soak.bed.admin("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
    soak.until(lambda: soak.db.value("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"), 30, "the standby is in step")
    yield
    fail_over(soak)
    soak.bed.admin("ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()")


@fault("postgres", 0.7)
def standby_that_lost_the_last_takes_over(soak):
    soak.losses.add("postgres")
    soak.bed.detach()
    yield
    fail_over(soak)


# the network between one of the workers and PostgreSQL

def each_road(soak, what, *arguments):
    for road in soak.roads:
        getattr(road, what)(*arguments)


@fault("network", 2)
def reset(soak):
    each_road(soak, "cut")
    yield


@fault("network", 3)
def cut_in_a_reply(soak):
    for _ in range(10):
        each_road(soak, "cut_after", soak.dice.randint(1, 3000))
        soak.rest(0.4 * soak.dice.random())
    yield


@fault("network", 1)
def stalled(soak):
    each_road(soak, "stall")
    yield
    each_road(soak, "resume")


@fault("network", 1)
def dead_for_open_connections(soak):
    each_road(soak, "strand")
    yield


@fault("network", 1)
def refused(soak):
    each_road(soak, "refuse")
    each_road(soak, "cut")
    yield
    each_road(soak, "accept")


@fault("network", 1)
def deaf(soak):
    each_road(soak, "deafen")
    yield
    each_road(soak, "deafen", False)
