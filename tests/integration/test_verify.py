"""pgusher verify: finds every way in which a hash may differ, nothing else, and mends exactly that."""
import json
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import locales, ticketing
from harness.box import projection
from harness.traffic import EVENTS
from harness.waiting import until

DAY_MS = 86_400_000
FIRST, LAST = EVENTS + 1, EVENTS + 40  # events that the load below leaves alone


class Load:
    """Some hundred changes a second of documents up to EVENTS, until the with block ends."""

    def __init__(self, db):
        self.db = db
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.count = 0

    def run(self):
        connection = self.db.connect(autocommit=True)
        cursor = connection.cursor()
        while not self.over.wait(0.01):
            event = self.count * 7 % EVENTS + 1
            cursor.execute("UPDATE ticket SET sold = NOT sold WHERE event_id BETWEEN %s AND %s + 1;"
                           "UPDATE event SET name = CASE name WHEN 'a' THEN 'b' ELSE 'a' END WHERE id = %s;"
                           "DELETE FROM ticket WHERE id = %s; INSERT INTO ticket VALUES (%s, %s, 5)",
                           (event, event, event, 3 * event, 20_000_000 + self.count, event))
            if self.count % 180 == 0:  # a third of the events
                cursor.execute("UPDATE venue SET name = CASE name WHEN 'a' THEN 'b' ELSE 'a' END WHERE id = 1")
            self.count += 9
        connection.close()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


@pytest.fixture
def filled(market):
    market.db.sql("CALL grow(%s, %s)", FIRST, LAST)
    market.ready(ticketing.projections())
    return market


def verify(box, *arguments, code=0):
    return json.loads(box.pgusher("verify", "--json", *arguments).must(code).out)


def found(report):
    """{key: kind} of all differences."""
    return {item["key"]: item["kind"] for part in report["projections"] for item in part["differences"]}


def ticket_keys(count, start=0):
    first = 3 * EVENTS + 1 + start
    return [f"ticket:{number}" for number in range(first, first + count)]


def corrupt(client):
    """A hundred documents in every way; {key: kind}."""
    keys = iter(ticket_keys(100))
    expected = {}

    def spoil(kind, count, change):
        for _ in range(count):
            key = next(keys)
            change(key)
            expected[key] = kind
    spoil("different", 10, lambda key: client.hset(key, "price", "0.01"))
    spoil("different", 10, lambda key: client.hdel(key, "event"))
    spoil("different", 10, lambda key: client.hset(key, "extra", "1"))
    spoil("missing", 10, client.delete)
    spoil("expiry", 10, client.persist)
    spoil("expiry", 10, lambda key: client.pexpire(key, DAY_MS))
    spoil("type", 10, lambda key: client.set(key, "a string"))
    spoil("version", 5, lambda key: client.hset(key, "_v", 9_000_000_000_000_000))
    spoil("version", 5, lambda key: client.hdel(key, "_v"))
    spoil("version", 5, lambda key: client.hset(key, "_d", "0" * 16))
    for number in range(15):
        key = f"ticket:{90_000_000 + number}"
        client.hset(key, mapping={"price": "1", **({"_v": "1", "_d": "x"} if number % 2 else {})})
        expected[key] = "ghost"
    return expected


def test_finds_and_mends_what_was_corrupted_under_load(filled):
    client = filled.redis.client
    with Load(filled.db):
        expected = corrupt(client)
        assert len(expected) == 100
        untouched = {key: client.hgetall(key) for key in ticket_keys(20, start=100)}
        assert found(verify(filled, code=1)) == expected
        mended = verify(filled, "--repair")
        assert found(mended) == expected and mended["mended"] == 100
        assert verify(filled)["drift"] == 0
    assert {key: client.hgetall(key) for key in untouched} == untouched
    filled.in_step()


def test_no_false_report_under_load(filled):
    """Rows that change all the time, to and fro, deceive nobody; neither do past dates and new rows."""
    with Load(filled.db) as load:
        for _ in range(3):
            assert found(verify(filled)) == {}
        assert load.count > 300
    assert verify(filled)["documents"] > 12000


def test_a_change_on_its_way_is_waited_for(tickets):
    worker = tickets.ready(ticketing.projections())
    worker.process.send_signal(signal.SIGSTOP)
    tickets.db.sql("UPDATE event SET name = 'late' WHERE id = 1; DELETE FROM ticket WHERE id = 27;"
                   "INSERT INTO ticket VALUES (100, 2, 5)")
    asked = set()

    def asks_again():
        asked.update(tickets.db.sql("SELECT query_start FROM pg_stat_activity WHERE query LIKE '%pgusher.unapplied(k)%'"
                                    " AND application_name = 'pgusher verify'"))
        return len(asked) > 2
    with ThreadPoolExecutor() as pool:
        result = pool.submit(tickets.pgusher, "verify", "--json")
        try:
            until(asks_again, 5, "it waits")
        finally:
            worker.process.send_signal(signal.SIGCONT)
        report = json.loads(result.result().must(0).out)
    assert found(report) == {} and report["in_step"] and report["waiting"] == 0


def test_nobody_applies_the_changes(tickets):
    """What a change explains is no drift, but not in step either; what was altered is drift all the same."""
    tickets.ready(ticketing.projections())
    tickets.stop()
    tickets.db.sql("UPDATE event SET name = 'late' WHERE id = 1")
    tickets.redis.client.hset("event:2", "name", "altered")
    report = verify(tickets, code=1)
    assert found(report) == {"event:2": "different"}
    assert report["waiting"] == 4 and not report["in_step"]
    assert "no worker is alive" in report["projections"][0]["why_waiting"]
    assert verify(tickets, "--repair", code=1)["mended"] == 1
    plain = tickets.pgusher("verify").must(1).out.splitlines()
    assert plain[0].startswith("not in step: 4 of 36 documents differ, but changes wait and nobody applies them")
    told = tickets.pgusher("status").must(1, "9 compared, 1 differed and waited to be written", "27 compared, 3 differed and waited").text
    assert "compared, in step" not in told
    tickets.once()
    assert tickets.pgusher("verify").must(0).out.startswith("in step: 36 documents compared\n")
    tickets.pgusher("status").must(1, "9 compared, in step")


def test_keys_that_look_like_documents(tickets):
    """Only what has a row, or once had one, is touched."""
    tickets.ready(ticketing.projections())
    client = tickets.redis.client
    for key in ("ticket:007", "ticket:abc", "event:1:2"):
        client.hset(key, mapping={"_v": 1, "_d": "x"})
    client.hset("ticket:lock", "by", "somebody")
    client.set("event:77", "somebody's")
    client.hset(b"ticket:\xed\xa0\x80", mapping={"_v": 1, "_d": "x"})  # a surrogate is no UTF-8, neither here
    client.hset("event:9", "name", b"\xed\xa0\x80\xff")  # nor there
    client.rpush("ticket:77", "somebody's")
    tickets.drain()
    expected = {"ticket:007": "ghost", "ticket:abc": "ghost", "event:1:2": "ghost", "event:9": "different"}
    assert found(verify(tickets, code=1)) == expected
    client.hset("event:9", "name", "\x1b[31m\n")
    for arguments in (["verify"], ["explain", "event", "9"]):
        assert "\x1b" not in tickets.pgusher(*arguments).must(1, "event:9", "[31m").out, "it moves no terminal's cursor"
    tickets.pgusher("explain", "ticket", "abc").must(1, "drift: there is a hash, but no row; run: pgusher verify ticket --repair")
    assert found(verify(tickets, "--repair")) == expected
    assert client.exists(*expected) == 1 and client.exists("ticket:lock", "event:77", "ticket:77") == 3
    assert sorted(tickets.drain()) == sorted(expected)
    client.delete("event:77", "ticket:77", "event:1", "ticket:1")
    client.hset("event:1000", mapping={"_v": 1, "_d": "x"})
    tickets.db.sql("""INSERT INTO pgusher.backfill (fleet, projection, reason, repair, phase)
                      SELECT 'default', p, 'test', true, 'keys' FROM unnest('{event,ticket}'::text[]) p;
                      SELECT pg_notify('pgusher', 'tasks 0')""")
    tickets.until_asleep()
    assert client.exists("event:1", "ticket:1", "ticket:lock") == 3 and not client.exists("event:1000")
    assert tickets.quarantined() == [], "nor does a backfill take them for documents"


def test_dates_and_rows_that_fail(tickets):
    tickets.db.sql("ALTER TABLE event ADD part int DEFAULT 1;"
                   "CREATE OR REPLACE VIEW event_card AS SELECT e.id, e.name, e.starts_at, v.name AS venue, v.city,"
                   " 0::bigint AS open, 1.0::numeric AS cheapest, 1 / e.part AS share"
                   " FROM event e JOIN venue v ON v.id = e.venue_id")
    tickets.ready(ticketing.event_only())
    tickets.db.sql("UPDATE event SET starts_at = now() - interval '11 days' WHERE id <= 2;"
                   "UPDATE event SET starts_at = NULL WHERE id = 3; UPDATE event SET part = 0 WHERE id = 4")
    tickets.until_caught_up()
    report = verify(tickets)
    assert report["documents"] == 8 and report["projections"][0]["unreadable"] == 1
    tickets.redis.client.hset("event:1", mapping={"_v": 1, "_d": "x"})
    tickets.redis.client.pexpire("event:3", DAY_MS)
    report = verify(tickets, code=1)
    assert found(report) == {"event:1": "expiry", "event:3": "expiry"}
    details = {item["key"]: item["detail"] for item in report["projections"][0]["differences"]}
    assert details["event:1"].startswith("it never expires, by its row 20")
    assert details["event:3"].endswith(" UTC, by its row never")
    verify(tickets, "--repair")
    assert verify(tickets)["in_step"] and not tickets.redis.client.exists("event:1")


def test_former_keys(tickets):
    tickets.ready(ticketing.projections())
    tickets.db.sql("INSERT INTO pgusher.former VALUES ('default', 'event', 'evt:{id}', '{id}'),"
                   " ('default', 'gone', 'gone:{a}:{b}', '{a,b}')")
    client = tickets.redis.client
    for key in ("evt:1", "evt:2", "gone:1:2"):
        client.hset(key, mapping={"name": "x", "_v": 1, "_d": "x"})
    client.hset("evt:3", "name", "not ours")
    tickets.drain()
    expected = {"evt:1": "ghost", "evt:2": "ghost", "gone:1:2": "ghost"}
    assert found(verify(tickets, code=1)) == expected
    assert found(verify(tickets, "ticket")) == {}
    client.hset("evt:7:8", mapping={"name": "another's, which is broken", "_v": 1, "_d": "x"})
    tickets.use({**ticketing.projections(), "pair": projection("nothing", {"event": ["id", "venue_id"]}, id=["a", "b"], key="evt:{a}:{b}")})
    assert "evt:7:8" not in tickets.pgusher("verify").must(78, "evt:1", "evt:2").out
    tickets.use(ticketing.projections())
    client.delete("evt:7:8")
    assert found(verify(tickets, "--repair")) == expected
    assert not client.exists(*expected) and client.exists("evt:3")
    assert tickets.db.value("SELECT count(*) FROM pgusher.former") == 0
    assert sorted(tickets.drain()) == ["evt:1", "evt:2"]
    assert verify(tickets)["in_step"]


def test_sample_and_many_differences(filled):
    assert [part["documents"] for part in verify(filled, "--sample", "50")["projections"]] == [50, 50]
    assert all(part["keys"] > 0 for part in verify(filled, "--sample", "50")["projections"])
    filled.redis.client.delete(*[f"event:{number}" for number in range(1, EVENTS + 1)])
    report = verify(filled, "event", "--sample", "200", code=1)["projections"][0]
    assert report["missing"] == report["drift"] == len(report["differences"]) > 150
    report = verify(filled, "event", code=1)["projections"][0]
    assert report["missing"] == EVENTS and len(report["differences"]) == 1000
    plain = filled.pgusher("verify", "--repair").must(0).out
    assert plain.startswith("mended: 3,000 of 12,160 documents\n") and "… and 2,980 more" in plain
    assert plain.count("(mended)") == 20
    filled.in_step()


def test_cluster(tickets, three):
    tickets.redis = three
    tickets.ready(ticketing.projections())
    expected = {f"event:{number}": "different" for number in range(1, 10)}
    for number in range(1, 10):
        three.client.hset(f"event:{number}", "name", "altered")
        three.client.hset(f"ticket:{1000 + number}", mapping={"_v": 1})
        expected[f"ticket:{1000 + number}"] = "ghost"
    assert found(verify(tickets, code=1)) == expected
    assert verify(tickets, "--sample", "20", code=1)["drift"] > 0
    assert found(verify(tickets, "--repair")) == expected
    assert verify(tickets)["in_step"]
    tickets.in_step()


def test_scheduled(tickets):
    """Both workers are asked to; one does it, and tells what it found."""
    worker = tickets.ready(ticketing.projections(), verify={"every": "1 s"})
    other = tickets.start()
    logs = "SELECT max(at) FROM pgusher.verified WHERE missing + different = %s AND compared = %s"
    tickets.until(lambda: tickets.db.value(logs, 0, 27), 10, "verified")
    assert tickets.db.value("SELECT count(*) FROM pgusher.verified") == 2
    tickets.redis.client.delete("event:5")
    tickets.until(lambda: tickets.db.value(logs, 1, 9), 10, "the missing one is found")
    tickets.until(lambda: "verify of event found drift: 1 of 9 documents, among them event:5 (missing)"
                  in worker.log + other.log, 5, "it is logged")
    before = tickets.db.value("SELECT max(at) FROM pgusher.verified")
    tickets.until(lambda: tickets.db.value("SELECT min(at) FROM pgusher.verified") > before, 10, "again")
    tickets.db.sql(tickets.db.value("""SELECT format('CREATE OR REPLACE VIEW event_card AS SELECT e.*, 1 AS more FROM (%s) e',
                                                     rtrim(pg_get_viewdef('event_card'::regclass), ';'))"""))
    tickets.until(lambda: tickets.db.value(logs, 9, 9), 10, "what every document lacks is found, though the plan was of before")
    tickets.db.sql(tickets.db.value("""SELECT format('CREATE OR REPLACE VIEW event_card AS SELECT * FROM (%s) e WHERE 1 / (e.id - e.id) > 0',
                                                     rtrim(pg_get_viewdef('event_card'::regclass), ';'))"""))
    tickets.until(lambda: "verify is given up for now: projection event: " in worker.log + other.log, 10, "one cannot be verified")
    before = tickets.db.value("SELECT now()")
    tickets.until(lambda: tickets.db.value("SELECT at FROM pgusher.verified WHERE projection = 'ticket'") > before, 20, "the other one can")


def test_written_and_not_queued(tickets):
    """Whoever mends ends before what it wrote is queued; the worker sees to that."""
    tickets.ready(ticketing.event_only())
    client = tickets.redis.client
    client.hset("event:4", "name", "another")
    client.hset("event:77", mapping={"name": "a ghost", "_v": 1, "_d": "x"})
    client.delete("{search}")
    client.set("{search}", "no list")
    tickets.pgusher("verify", "--repair").must(1, "WRONGTYPE")
    client.delete("{search}")
    tickets.until(lambda: set(client.lrange("{search}", 0, -1)) == {b"event:4", b"event:77"}, 20, "both are queued")
    tickets.until(lambda: tickets.db.value("SELECT count(*) FROM pgusher.quarantine") == 0, 10, "nothing is left to do")
    tickets.in_step()


def test_servers_down_and_wrong_arguments(tickets):
    tickets.ready(ticketing.projections())
    verify(tickets)
    tickets.db.sql("ALTER VIEW event_card RENAME TO hidden")
    report = verify(tickets, code=78)
    assert "event_card" in report["errors"][0] and report["projections"][0]["documents"] == 27
    tickets.db.sql("ALTER VIEW hidden RENAME TO event_card")
    tickets.use(ticketing.projections(), redis="unix:///nowhere/redis.sock")
    result = tickets.pgusher("verify").must(69)
    assert "last time" in result.out and "event: 9 documents compared, 0 drift" in result.out
    assert result.err.count("\n") == 1
    report = verify(tickets, code=69)
    assert len(report["last"]) == 2 and report["errors"] and not report["complete"]
    assert "did you mean \"event\"" in tickets.pgusher("verify", "evnt").must(64).err
    assert "--sample needs a whole number" in tickets.pgusher("verify", "--sample", "0").must(64).err
    assert "Example:" in tickets.pgusher("verify", "--help").must(0).out


@pytest.fixture
def world(box):
    """Nine events, a document per locale each."""
    locales.prepare(box)
    locales.follow(box)
    return box


def test_many_rows(world):
    """A document too many is a ghost though its id has rows; the others of its id are not written."""
    client = world.redis.client
    client.hset("happening:3:yy", mapping={"title": "x", "_v": 1, "_d": "x"})
    client.hset("happening:4:yy", "title", "x")
    client.delete("happening:5:l7")
    client.hset("happening:6:l8", "title", "altered")
    before = {key: client.hget(key, "_d") for key in locales.keys(world)}
    expected = {"happening:3:yy": "ghost", "happening:4:yy": "ghost", "happening:5:l7": "missing",
                "happening:6:l8": "different"}
    locales.take_queued(world)
    assert found(verify(world, code=1)) == expected
    assert found(verify(world, "--repair")) == expected
    assert verify(world)["in_step"]
    world.in_step()
    after = {key: client.hget(key, "_d") for key in locales.keys(world)}
    assert {key for key in before.keys() & after.keys() if before[key] != after[key]} == set()
    assert set(locales.take_queued(world)) <= set(expected)
    assert verify(world, "--sample", "20")["in_step"]
