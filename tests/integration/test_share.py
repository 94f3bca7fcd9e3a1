"""Workers that share a fleet's partitions: fair, each owned once, and no session that hangs keeps any."""
import random
import threading

import pytest

from harness.waiting import stays, until

PRESENCE, OWNER = 1885828469, 1885828468

OWNERS = f"""SELECT (objid::bigint & 1023)::int, pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database
             WHERE d.datname = current_database() AND locktype = 'advisory' AND classid = {OWNER} AND granted"""


class Peer:
    """A worker's session without the worker."""

    def __init__(self, db, number=0, user="postgres"):
        self.connection = db.connect(user, autocommit=True)
        self.sql = self.connection.cursor()
        self.number = number
        self.sql.execute("SELECT pg_advisory_lock_shared(%s, %s), pg_backend_pid()", (PRESENCE, number))
        self.pid = self.sql.fetchone()[1]
        self.owned, self.quota = [], 0

    def share(self):
        """As a worker does: takes what it may, gives up what is too much."""
        self.sql.execute("SELECT workers, owned, quota FROM pgusher.share(%s::smallint)", (self.number,))
        self.workers, self.owned, self.quota = self.sql.fetchone()
        surplus = self.owned[self.quota:]
        if surplus:
            self.sql.execute("SELECT pgusher.release(%s::smallint, %s::smallint[], '{}')", (self.number, surplus))
            self.owned = self.owned[:self.quota]
        return self.owned

    def close(self):
        self.connection.close()


@pytest.fixture
def join(log):
    """Opens workers' sessions and closes those that are still there after the test."""
    peers = []

    def open_peer(**more):
        peers.append(Peer(log.db, **more))
        return peers[-1]
    yield open_peer
    for peer in peers:
        peer.close()


def settle(peers):
    """Two rounds: some give up, then others take."""
    for _ in range(2):
        for peer in peers:
            peer.share()


def is_fair(peers, partitions=16):
    owned = [part for peer in peers for part in peer.owned]
    sizes = {len(peer.owned) for peer in peers}
    return sorted(owned) == list(range(partitions)) and max(sizes) - min(sizes) <= 1


def test_shares_are_fair_for_any_number(log, join):
    log.install()
    peers = []
    for count in range(1, 21):
        peers.append(join())
        settle(peers)
        assert is_fair(peers), count
        assert {peer.workers for peer in peers} == {count}
        assert sum(peer.quota for peer in peers) == 16
    while len(peers) > 1:
        peers.pop(len(peers) // 2).close()
        until(lambda: peers[0].share() is not None and peers[0].workers == len(peers))
        settle(peers)
        assert is_fair(peers), len(peers)


@pytest.mark.parametrize("partitions", [1, 7, 256])
def test_any_number_of_partitions(log, join, partitions):
    log.install(partitions=partitions)
    peers = [join() for _ in range(3)]
    settle(peers)
    assert is_fair(peers, partitions)


def test_who_came_without_presence_gets_nothing(log, join):
    log.install()
    outsider = join()
    outsider.sql.execute("SELECT pg_advisory_unlock_shared(%s, 0)", (PRESENCE,))
    outsider.share()
    assert (outsider.workers, outsider.owned, outsider.quota) == (0, [], 0)


def test_what_is_owned_is_not_taken_twice(log, join):
    """Locks of a session are counted: one release must be enough."""
    log.install()
    peer = join()
    for _ in range(3):
        peer.share()
    peer.sql.execute("SELECT pgusher.release(0::smallint, %s::smallint[], '{}')", (peer.owned,))
    assert log.db.sql(OWNERS) == []


def test_fleets_share_apart(log, join):
    log.install("first")
    log.install("second")
    peers = [join(number=0), join(number=1)]
    for peer in peers:
        peer.share()
        assert peer.owned == list(range(16)) and peer.workers == 1


def test_release_opens_gates_and_tells_the_fleet(log, join, reader):
    log.install()
    peer, other = join(), join()
    other.sql.execute("LISTEN pgusher")
    peer.sql.execute("SELECT pg_advisory_lock(1885828467, n), pg_advisory_lock(%s, n) FROM generate_series(0, 3) n", (OWNER,))
    peer.sql.execute("SELECT pgusher.release(0::smallint, '{0,1}', '{0,1,2}')")
    held = "SELECT array_agg(objid::int ORDER BY objid) FROM pg_locks WHERE classid = %s AND pid = %s"
    assert log.db.value(held, 1885828467, peer.pid) == [3] and log.db.value(held, OWNER, peer.pid) == [2, 3]
    other.sql.execute("SELECT")
    other.connection.poll()
    assert [notify.payload for notify in other.connection.notifies] == ["fleet 0"]


def test_dead_worker_is_replaced(log, join):
    log.install()
    peers = [join() for _ in range(4)]
    settle(peers)
    lost = peers.pop()
    log.db.sql("SELECT pg_terminate_backend(%s)", lost.pid)
    until(lambda: len(log.db.sql(OWNERS)) == 12)
    settle(peers)
    assert is_fair(peers)


def sessions(log, *peers):
    pids = [peer.pid for peer in peers]
    return log.db.value("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY (%s)", pids)


def test_hung_worker_is_ended(log, join):
    """One that asks no more for its share; those that do are left alone, as is a session of somebody else."""
    log.install()
    busy, hung, busy_too = join(), join(), join()
    foreign = log.db.connect(autocommit=True)
    foreign.cursor().execute("SELECT pg_advisory_lock(%s, 5000)", (OWNER,))
    hung.share()

    def ended():
        busy.share()
        busy_too.share()
        return not sessions(log, hung)
    until(ended, 6, "the hung session is ended")
    assert sessions(log, busy, busy_too) == 2
    settle([busy, busy_too])
    assert is_fair([busy, busy_too])
    foreign.cursor().execute("SELECT")
    foreign.close()


def test_newcomer_ends_nobody(log, join):
    """One that worked alone rests without a query until it hears of a second; it is not taken for hung before that."""
    log.install()
    alone = join()
    alone.share()
    until(lambda: log.db.value("SELECT state_change < clock_timestamp() - interval '3.5 s' FROM pg_stat_activity WHERE pid = %s",
                               alone.pid), 6)
    newcomer = join()
    stays(lambda: newcomer.share() is not None and sessions(log, alone) == 1, 1)
    alone.share()
    stays(lambda: newcomer.share() is not None and alone.share() is not None and sessions(log, alone) == 1, 3)


def test_hung_worker_of_another_role(log, join):
    """Whom we may not end we leave, and go on."""
    log.install()
    name = f"worker_{log.db.name}"
    log.db.sql(f"CREATE ROLE {name} LOGIN; GRANT USAGE ON SCHEMA pgusher TO {name}; GRANT SELECT ON pgusher.meta TO {name}")
    hung, ours = join(), join(user=name)
    hung.share()
    until(lambda: log.db.value("SELECT min(state_change) < clock_timestamp() - interval '3.5 s' FROM pg_stat_activity WHERE pid = %s",
                               hung.pid) and ours.share() is not None, 6)
    assert sessions(log, hung) == 1 and ours.workers == 2


def test_never_two_owners_while_workers_come_and_go(log):
    """Six threads, each a worker that lives, dies and comes back at random; PostgreSQL's own view of the locks is the judge."""
    log.install()
    over = threading.Event()
    failures = []

    def live(seed):
        chance = random.Random(seed)
        try:
            while not over.is_set():
                peer = Peer(log.db)
                for _ in range(chance.randrange(1, 30)):
                    peer.share()
                peer.close()
        except Exception as failure:
            failures.append(failure)
    threads = [threading.Thread(target=live, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(150):
        owners = log.db.sql(OWNERS)
        assert len({part for part, _ in owners}) == len(owners) <= 16
    over.set()
    for thread in threads:
        thread.join()
    assert not failures
    last = [Peer(log.db), Peer(log.db)]
    until(lambda: not settle(last) and is_fair(last), 5)
    for peer in last:
        peer.close()
