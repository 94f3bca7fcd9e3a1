"""Servers that are down or refuse us, and data that cannot become a document."""
import json
import os

import pytest

from harness import ticketing
from harness.programs import SLOWER
from harness.redis_server import RedisServer
from harness.waiting import stays, until

SECRET = "s3cret-passw0rd"


def test_postgres_is_down(tickets):
    tickets.use(ticketing.projections(), postgres="host=/nonexistent dbname=x")
    tickets.pgusher("install").must(69, "/nonexistent")
    tickets.pgusher("check").must(69, "postgres", "/nonexistent")
    tickets.pgusher("backfill").must(69, "/nonexistent")


def test_redis_is_down(tickets):
    tickets.install()
    tickets.redis.stop()
    tickets.pgusher("check").must(69, "redis", tickets.redis.socket)
    tickets.pgusher("backfill").must(69, "redis", tickets.redis.socket)


def test_worker_waits_for_postgres(box, own_cluster):
    """It tries again, less and less often, says so, and works as soon as PostgreSQL is there."""
    own_cluster.start()
    box.db = own_cluster.create(name="late")
    box.db.sql(ticketing.schema())
    box.use(ticketing.event_only())
    box.install()
    box.db.sql("UPDATE event SET name = 'early' WHERE id = 1")
    box.db.disconnect()
    own_cluster.stop()
    worker = box.start()
    worker.says("postgres", own_cluster.folder)
    assert 1 <= worker.said("postgres", own_cluster.folder) < 20
    own_cluster.start()
    box.until_has("event:1", seconds=40, name="early")
    box.until_caught_up()
    worker.stop()
    box.db.disconnect()


def test_worker_waits_for_redis(tickets):
    tickets.install()
    tickets.redis.stop()
    tickets.db.sql("UPDATE event SET name = 'early' WHERE id = 1")
    worker = tickets.start()
    worker.says("redis", tickets.redis.socket)
    assert not tickets.caught_up()
    tickets.redis.start()
    tickets.until_has("event:1", seconds=40, name="early")


@pytest.fixture
def locked(tickets):
    """A role that must give a password."""
    tickets.db.sql(f"""DO $$BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'locked') THEN
                       CREATE ROLE locked LOGIN SUPERUSER PASSWORD '{SECRET}'; END IF; END$$""")
    return tickets.db.conninfo("locked")


def secret_file(box, text):
    path = os.path.join(box.folder, "secret")
    with open(path, "w") as file:
        file.write(text + "\n")
    os.chmod(path, 0o600)
    return path


def nowhere(text, *places):
    assert all(text not in place for place in places)


def waits_or_exits(worker):
    """Both are allowed at start; while it works it must wait, see below."""
    until(lambda: worker.said("trying again") or not worker.alive(), 10 * SLOWER)
    worker.stop() if worker.alive() else worker.exits(78)


def test_wrong_postgres_password(tickets, locked):
    tickets.use(ticketing.projections(), postgres=f"{locked} password=wrong-{SECRET}")
    result = tickets.pgusher("check").must((69, 78), "password authentication failed", "locked")
    worker = tickets.start()
    worker.says("password authentication failed")
    waits_or_exits(worker)
    nowhere(SECRET, result.text, worker.log)


def test_postgres_password_from_a_file(tickets, locked):
    account = {"conninfo": locked, "password_file": secret_file(tickets, SECRET)}
    tickets.ready(ticketing.projections(), postgres=account)
    tickets.in_step()
    secret_file(tickets, "wrong")
    tickets.pgusher("check").must((69, 78), "password authentication failed")


@pytest.fixture
def guarded(tickets, workspace):
    """A second Redis, with a password."""
    server = RedisServer(os.path.join(workspace, "guarded"), "--requirepass", SECRET)
    original = tickets.redis
    try:
        server.start()
        server.client = server.connect(password=SECRET)
        tickets.redis = server
        yield server
    finally:
        tickets.redis = original
        server.remove()


def test_redis_password_from_a_file(tickets, guarded):
    tickets.ready(ticketing.projections(), redis={"url": guarded.url, "password_file": secret_file(tickets, SECRET)})
    tickets.in_step()
    tickets.stop()


@pytest.mark.parametrize("password", [None, "wrong-" + SECRET])
def test_wrong_redis_password(tickets, guarded, password):
    """The worker says so, and loses nothing."""
    tickets.install()
    tickets.db.sql("UPDATE event SET name = 'kept' WHERE id = 1")
    account = {"url": guarded.url}
    if password:
        account["password_file"] = secret_file(tickets, password)
    tickets.use(ticketing.projections(), redis=account)
    result = tickets.pgusher("check").must((69, 78), "redis", "auth" if password is None else "pass")
    worker = tickets.start()
    worker.says("redis", "auth" if password is None else "pass")
    waits_or_exits(worker)
    assert not tickets.caught_up()
    nowhere(SECRET, result.text, worker.log)
    guarded.client.config_set("requirepass", password or "")
    guarded.client = guarded.connect(password=password)
    tickets.once()
    assert tickets.has("event:1", name="kept")


def test_redis_password_is_set_while_it_works(tickets):
    """The operator must act; until then it keeps trying."""
    worker = tickets.ready(ticketing.event_only())
    tickets.redis.client.config_set("requirepass", SECRET)
    tickets.redis.client = tickets.redis.connect(password=SECRET)
    tickets.redis.client.client_kill_filter(_type="normal", skipme=True)
    tickets.db.sql("UPDATE event SET name = 'kept' WHERE id = 1")
    worker.says("NOAUTH")
    tickets.redis.client.config_set("requirepass", "")
    tickets.until_has("event:1", seconds=40, name="kept")
    tickets.redis.client = tickets.redis.connect()
    tickets.in_step()


def test_postgres_refuses_the_role_while_it_works(tickets, locked):
    worker = tickets.ready(ticketing.event_only(), postgres=f"{locked} password={SECRET}")
    tickets.db.sql("ALTER ROLE locked PASSWORD 'other'")
    tickets.db.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'locked'")
    worker.says("password authentication failed")
    tickets.db.sql("UPDATE event SET name = 'kept' WHERE id = 1")
    tickets.db.sql(f"ALTER ROLE locked PASSWORD '{SECRET}'")
    tickets.until_has("event:1", seconds=40, name="kept")
    tickets.in_step()


@pytest.fixture
def limited(tickets):
    """A worker's role with no privilege but what it uses."""
    name = f"limited_{tickets.db.name}"
    tickets.install()
    tickets.db.sql(f"""CREATE ROLE {name} LOGIN; GRANT USAGE ON SCHEMA pgusher TO {name};
                       GRANT ALL ON ALL TABLES IN SCHEMA pgusher TO {name};
                       GRANT ALL ON ALL SEQUENCES IN SCHEMA pgusher TO {name};
                       GRANT SELECT ON event_card, event TO {name}""")
    return name


def test_privilege_is_revoked_while_it_works(tickets, limited):
    """A refusal of the whole query is no document's fault: nothing may be lost by it."""
    tickets.use(ticketing.event_only(), postgres=tickets.db.conninfo(limited))
    worker = tickets.start()
    tickets.until_asleep()
    tickets.db.sql(f"REVOKE SELECT ON event_card FROM {limited}; UPDATE event SET name = 'kept'")
    worker.says("event_card", "permission denied")
    assert tickets.quarantined() == []
    tickets.db.sql(f"GRANT SELECT ON event_card TO {limited}")
    tickets.until_has("event:9", seconds=40, name="kept")
    tickets.in_step()


def test_no_privilege_on_the_view(tickets, limited):
    tickets.db.sql(f"REVOKE SELECT ON event_card FROM {limited}")
    tickets.use(ticketing.event_only(), postgres=tickets.db.conninfo(limited))
    tickets.pgusher("check").must(78, "projections.event.source", "event_card", "grant select")


def reported(box, key):
    """Quarantined, or named in the log or by status."""
    return (any(key == row[1] for row in box.quarantined()) or key in box.daemons[-1].log
            or key in box.pgusher("status").text)


def test_key_occupied_by_a_string(tickets):
    tickets.ready(ticketing.event_only())
    tickets.redis.client.delete("event:5")
    tickets.redis.client.set("event:5", "not ours")
    tickets.db.sql("UPDATE event SET name = 'after'")
    tickets.until_caught_up()
    for event in (1, 2, 3, 4, 6, 7, 8, 9):
        assert tickets.has(f"event:{event}", name="after")
    assert tickets.redis.client.get("event:5") == b"not ours"
    assert reported(tickets, "event:5")
    assert tickets.pgusher("status").must(1, "quarantine")


def test_key_occupied_by_a_string_on_backfill(tickets):
    tickets.use(ticketing.event_only())
    tickets.install()
    tickets.redis.client.set("event:5", "not ours")
    tickets.pgusher("backfill").must(1, "event:5")
    assert len(tickets.redis.client.keys("event:*")) == 9 and tickets.has("event:6", id="6")


def test_occupied_queue_loses_nothing(tickets):
    """Not one document's fault: the cursor waits until the queue's key is free."""
    tickets.ready(ticketing.event_only())
    tickets.redis.client.delete("{search}")
    tickets.redis.client.set("{search}", "not ours")
    tickets.db.sql("UPDATE event SET name = 'after' WHERE id = 5")
    tickets.daemons[-1].says("{search}")
    assert not tickets.caught_up()
    tickets.redis.client.delete("{search}")
    tickets.until_caught_up(40)
    assert tickets.queued() == ["event:5"]


def test_killed_between_put_and_enqueue(tickets):
    """The next worker finds the document unchanged and queues it all the same."""
    worker = tickets.ready(ticketing.event_only())
    tickets.redis.client.delete("{search}")
    tickets.redis.client.set("{search}", "in the way")
    tickets.db.sql("UPDATE event SET name = 'after' WHERE id = 5")
    tickets.until_has("event:5", name="after")
    worker.kill()
    tickets.redis.client.delete("{search}")
    tickets.start()
    tickets.in_step()
    assert tickets.queued() == ["event:5"]


def test_second_worker_while_the_queue_refuses(tickets):
    """One has put the document and cannot queue it, the other finds it unchanged: it must not go on."""
    tickets.ready(ticketing.event_only())
    tickets.start().says("8 of 16")
    tickets.redis.client.delete("{search}")
    tickets.redis.client.set("{search}", "in the way")
    tickets.db.sql("UPDATE event SET name = 'after' WHERE id = 5")
    tickets.until_has("event:5", name="after")
    stays(lambda: not tickets.caught_up(), 1.5, "the cursor is before a change that nobody could queue")
    tickets.redis.client.delete("{search}")
    tickets.in_step(40)
    assert tickets.queued() == ["event:5"]


@pytest.fixture
def fractions(box):
    """A view that fails on rows whose divisor is zero."""
    box.db.sql("""CREATE TABLE part (id int PRIMARY KEY, divisor int, note text);
                  INSERT INTO part SELECT n, n FROM generate_series(1, 50) n;
                  CREATE VIEW part_card AS SELECT id, 100 / divisor AS share, note FROM part""")
    box.ready({"part": projection_of_part()})
    return box


def projection_of_part():
    return {"source": "part_card", "id": "id", "key": "part:{id}", "queues": ["{search}"], "watch": {"part": "id"}}


def test_row_that_fails_is_quarantined_alone(fractions):
    fractions.db.sql("UPDATE part SET divisor = 0 WHERE id IN (7, 31); UPDATE part SET note = 'seen'")
    fractions.until_has("part:50", note="seen")
    fractions.until_caught_up()
    assert [row[1] for row in fractions.quarantined()] in (["31", "7"], ["part:31", "part:7"])
    assert all("division by zero" in row[2] for row in fractions.quarantined())
    good = [number for number in range(1, 51) if fractions.has(f"part:{number}", note="seen")]
    assert good == [number for number in range(1, 51) if number not in (7, 31)]


def test_mended_row_leaves_the_quarantine(fractions):
    fractions.db.sql("UPDATE part SET divisor = 0 WHERE id = 7")
    fractions.until_caught_up()
    assert len(fractions.quarantined()) == 1
    fractions.db.sql("UPDATE part SET divisor = 10 WHERE id = 7")
    fractions.until_has("part:7", share="10")
    fractions.in_step()
    assert fractions.quarantined() == []


def test_two_rows_of_one_id(box):
    """Found only while working: the document is reported, the others go on."""
    box.db.sql("""CREATE TABLE item (id int PRIMARY KEY, name text); CREATE TABLE label (item int, label text);
                  INSERT INTO item SELECT n, 'n' FROM generate_series(1, 9) n; INSERT INTO label SELECT id, 'a' FROM item;
                  CREATE VIEW item_card AS SELECT i.id, i.name, l.label FROM item i JOIN label l ON l.item = i.id""")
    box.ready({"item": {"source": "item_card", "id": "id", "key": "item:{id}", "watch": {"item": "id", "label": "item"}}})
    box.db.sql("INSERT INTO label VALUES (5, 'b'); UPDATE item SET name = 'after'")
    box.until_has("item:9", name="after")
    box.until_caught_up()
    assert box.has("item:4", name="after") and box.has("item:6", name="after")
    assert reported(box, "item:5") or reported(box, "5")
    assert box.quarantined()


def test_status_counts_the_quarantined(fractions):
    fractions.db.sql("UPDATE part SET divisor = 0 WHERE id = 7")
    fractions.until_caught_up()
    status = json.loads(fractions.pgusher("status", "--json").must(1).out)
    assert '"quarantined": 1' in json.dumps(status)
