"""The calm after a storm: nothing fails any more and nobody writes. Within a bound everything is right, and stays so."""
import time

from harness import compare
from harness.programs import run_program
from harness.queue import run_queue
from tools.server import follow

from history import unarrived
from ledger import may_be_unknown
from schedule import LEAST_CALM
from stage import SEARCH
from watch import LOG_SIZE, unexplained

SECONDS = 600  # within which everything must be right: usually twenty, but a machine may have much else to do
LOG_KEPT = 48 << 20  # bytes that the changelog may take in calm
HELD = ("marks", "inflight", "dirty", "delayed", "later")


class Calm:
    def __init__(self, soak, totals):
        self.soak, self.totals = soak, totals
        self.began = time.monotonic()
        self.right_after = None
        self.left = None  # what is still wrong

    def __str__(self):
        return f"right after {self.right_after:.1f} s, calm took {time.monotonic() - self.began:.1f} s"

    def check(self):
        soak, totals = self.soak, self.totals
        totals.changes += self.load_ended()
        soak.db.disconnect(), soak.bed.db.disconnect()  # the server may have been restarted
        for crew in soak.crews.values():
            crew.fill()
        self.until(soak.bed.redis.settled, "Redis and its sentinels are settled")
        self.until(soak.bed.replicating, "the standby follows")
        self.until(self.right, lambda: f"all is right: {self.left}")
        self.right_after = time.monotonic() - self.began
        totals.slowest = max(totals.slowest, self.right_after)
        self.queues()
        self.stays_right()
        self.readers()
        self.fleet()
        self.programs()

    def until(self, condition, what):
        left = max(1, SECONDS - (time.monotonic() - self.began))
        return self.soak.until(condition, left / 4, what)

    def load_ended(self):
        load = self.soak.load.finish(seconds=300)
        assert not load["failures"], load["failures"]
        return load["changes"]

    # documents

    def right(self):
        """Every change is applied, and every document is what its row says; also on the replicas."""
        soak = self.soak
        if not soak.caught_up():
            self.left = soak.state()
            return False
        self.left = self.differences()
        return not self.left

    def differences(self):
        soak, client = self.soak, self.soak.bed.redis.client
        follow(client)
        found = compare.differences(soak.db, client, soak.box.config)
        if not found:
            client.wait(2, 1000)
            for node in soak.bed.redis.nodes:
                found += [f"{node.port}: {line}" for line in compare.differences(soak.db, node.client, soak.box.config)]
        self.totals.comparisons += 4 * client.dbsize()
        return found

    def stays_right(self):
        """Also what expired meanwhile is gone, and was told to the queues."""
        self.soak.rest(max(0, LEAST_CALM - (time.monotonic() - self.began)))
        run_program("pgusher", "-c", self.soak.box.path, "verify", seconds=300).must(0)
        found, = self.until(lambda: [self.differences()], "all is compared once more")
        assert not found, f"it was right and is not any more: {found}"
        mirrored = self.soak.mirror.finish(seconds=300)
        unknown = may_be_unknown(self.soak.forgotten())
        outdated = [line for line in mirrored["outdated"] if not (unknown or line.endswith("went") and self.soak.losses)]
        assert not outdated, f"{len(outdated)} not queued after their last change: {outdated[:10]}"

    # queues

    def held(self):
        """How much of the queue is not done with; dead letters aside, of which there are some: consumers were killed."""
        client = self.soak.bed.redis.client
        follow(client)
        self.replay_dead(client)
        sizes = {part: client.eval("local t = redis.call('TYPE', KEYS[1]).ok "
                                   "local size = {hash = 'HLEN', set = 'SCARD', zset = 'ZCARD', list = 'LLEN'} "
                                   "return size[t] and redis.call(size[t], KEYS[1]) or 0", 1, f"{SEARCH}:{part}") for part in HELD}
        return {name: size for name, size in {"waiting": client.llen(SEARCH), **sizes}.items() if size}

    def replay_dead(self, client):
        dead = client.zrange(f"{SEARCH}:dead", 0, -1)
        for item in dead:
            failures, crashes = map(int, (client.hget(f"{SEARCH}:failures", item) or b"0 0").split()[:2])
            assert failures >= 8 or crashes >= 3, f"{item} is dead after {failures} failures and {crashes} crashes"
        if dead:
            self.totals.dead += len(dead)
            run_queue("--redis", self.soak.bed.redis.url, "replay", SEARCH, "--all").must((0, 1))

    def queues(self):
        """All is consumed, and of each document the last state was told."""
        self.until(lambda: not self.held(), lambda: f"the queue is empty: {self.held()}")
        self.soak.until(self.indexed, 30, lambda: f"the index is right: {self.left}")

    def indexed(self):
        before = self.soak.ledger.told
        self.soak.ledger.read(moved=self.soak.failed_over())
        self.totals.told += self.soak.ledger.told - before
        self.left = self.soak.ledger.outdated(self.soak.bed.redis.client, self.soak.forgotten())
        self.left = [len(self.left), *self.left[:3]] if self.left else None
        return not self.left

    # readers

    def readers(self):
        found = self.soak.reader.finish(seconds=300)
        self.totals.reads += found["reads"]
        self.totals.rewinds += found["rewinds"]
        assert not found["violations"], found["violations"]
        assert len(found["final"]) == 3, f"a server cannot be read: {list(found['final'])}"
        missed = unarrived(found["final"], self.committed(next(iter(found["final"].values()))))
        assert not missed, missed[:10]

    def committed(self, keys):
        rows = {f"{kind}:{number}": count for kind in ("event", "ticket")
                for number, count in self.soak.db.sql(f"SELECT id, count FROM {kind}_card")}
        return {key: rows.get(key) for key in keys}

    # the fleet and its programs

    def fleet(self):
        soak = self.soak
        self.until(lambda: soak.owners.even(len(soak.crews["workers"].places)), lambda: f"fair shares: {soak.owners.shares()}")
        assert not soak.owners.doubles, f"two owners of one partition: {soak.owners.doubles}"
        size = soak.db.value(LOG_SIZE)
        assert size < LOG_KEPT, f"the changelog has {size} bytes"

    def programs(self):
        grown = self.soak.leaks.look(self.soak.crews.values())
        assert not grown, grown
        for crew in self.soak.crews.values():
            for path in crew.logs():
                lines = unexplained(path)
                assert not lines, f"{path} has lines of level error that nothing explains: {lines[:5]}"
