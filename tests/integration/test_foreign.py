"""Tables that nobody here designed: pgbench and its built-in TPC-B."""
from harness.box import projection
from harness.postgres import program
from harness.processes import run
from harness.programs import SLOWER

VIEWS = """
    CREATE INDEX ON pgbench_accounts (bid);
    CREATE VIEW account_card AS
    SELECT a.aid, a.abalance, a.filler, b.bid, b.bbalance
    FROM pgbench_accounts a JOIN pgbench_branches b USING (bid);
    CREATE VIEW branch_card AS
    SELECT b.bid, b.bbalance, t.accounts, t.total
    FROM pgbench_branches b
    CROSS JOIN LATERAL (SELECT count(*) AS accounts, sum(abalance) AS total
                        FROM pgbench_accounts WHERE bid = b.bid) t"""

BY_BRANCH = {"column": "bid", "lookup": "SELECT aid FROM pgbench_accounts WHERE bid = ANY($1)"}

PROJECTIONS = {
    "account": projection("account_card", {"pgbench_accounts": "aid", "pgbench_branches": BY_BRANCH}, id="aid",
                          key="account:{aid}"),
    "branch": projection("branch_card", {"pgbench_accounts": "bid", "pgbench_branches": "bid"}, id="bid",
                         key="branch:{bid}", queues=["{branches}"]),
}


def pgbench(db, *arguments):
    done = run([program("pgbench"), "-h", db.cluster.folder, "-U", "postgres", *arguments, db.name])
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_tpc_b(box):
    """Every transaction changes the one branch, which all of the 100,000 accounts show."""
    pgbench(box.db, "-i", "-s", "1", "-q")
    box.db.sql(VIEWS)
    box.use(PROJECTIONS)
    box.install()
    box.start()
    pgbench(box.db, "-n", "-c", "8", "-j", "2", "-T", "10")
    box.in_step(60)
    assert box.redis.client.dbsize() > 100_000
    assert int(box.hash("branch:1")["total"]) == box.db.value("SELECT sum(delta) FROM pgbench_history")
    assert box.drain("{branches}") == ["branch:1"]
    assert SLOWER > 1 or box.daemons[0].peak_kb() < 32 * 1024
