"""Faults that come in pairs, or at a bad moment."""
import os
import re
import shutil
import signal
import threading
import time

import pytest

from harness import ticketing
from harness.box import Box, projection
from harness.fleet import box_beside
from harness.waiting import stays, until

RECORD = "pgusher:fleet:default"


@pytest.fixture
def twin(tickets, workspace):
    """The same fleet on the same database, configured with another Redis."""
    with box_beside(tickets, workspace) as twin:
        twin.use(tickets.projections)
        yield twin


@pytest.mark.parametrize("ended", (True, False))
def test_redis_falls_back_to_the_middle_of_a_backfill(tickets, ended):
    """What the backfill wrote after that state was saved is missing in it, though the database says that it is done."""
    tickets.db.sql("CALL grow(10, 20000)")
    tickets.install()
    worker = tickets.start()
    written = "SELECT documents FROM pgusher.backfill WHERE phase = 'rows' AND projection = 'ticket'"
    tickets.until(lambda: (tickets.db.value(written) or 0) > 3000, 30, "it is in its middle", every=0.001)
    tickets.redis.client.save()
    if ended:
        tickets.until_asleep(60)
    else:
        tickets.until(lambda: (tickets.db.value(written) or 0) > 20000, 30, "it has gone on", every=0.001)
    tickets.redis.client.config_set("save", "")
    tickets.redis.stop()
    tickets.redis.start()
    worker.says("fell back behind")
    tickets.until_asleep(60)
    tickets.in_step()


def test_redis_falls_back_to_what_a_backfill_had_not_queued(tickets):
    """The database has forgotten the backfill, for it was done; in the state that Redis is in a document is written and not queued."""
    worker = tickets.ready(ticketing.event_only())
    tickets.redis.client.delete("{search}")
    tickets.redis.client.set("{search}", "in the way")
    tickets.db.sql("ALTER TABLE event DISABLE TRIGGER ALL; UPDATE event SET name = 'written' WHERE id = 2; ALTER TABLE event ENABLE TRIGGER ALL")
    tickets.pgusher("backfill", "event").must(0)
    tickets.until_has("event:2", name="written")
    tickets.redis.client.save()
    tickets.redis.client.delete("{search}")
    worker.says("tried again in 1 minute")
    tickets.db.sql("UPDATE pgusher.backfill SET next_at = NULL; SELECT pg_notify('pgusher', 'tasks 0')")
    tickets.until_asleep()
    tickets.redis.client.config_set("save", "")
    tickets.redis.stop()
    tickets.redis.start()
    tickets.redis.client.delete("{search}")
    worker.says("fell back behind")
    tickets.until_asleep()
    assert "event:2" in tickets.queued()
    tickets.in_step()


def done_xmax(box):
    """The highest in a cursor beside the data."""
    fields = box.redis.client.hgetall(RECORD)
    return max(int(value.split(b":")[1]) for name, value in fields.items() if re.fullmatch(rb"p\d+", name))


def test_a_crash_of_postgres_gives_transaction_numbers_again(workspace, own_cluster, redis_server):
    """What was not flushed is gone, and its transaction numbers are used again. Cursors that have passed them must not
    pass by what is committed under the same numbers later."""
    own_cluster.settings.update({"wal_writer_delay": "10s", "autovacuum": "off"})
    own_cluster.start()
    db = own_cluster.create()
    db.once(ticketing.schema())
    folder = os.path.join(workspace, "box")
    os.mkdir(folder)
    box = Box(folder, db, redis_server)
    try:
        worker = box.ready(ticketing.projections(), look_back="5 s")
        db.sql("UPDATE event SET name = 'flushed'")
        box.in_step()
        flushed = db.value("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        lazy = db.connect(autocommit=True).cursor()
        lazy.execute("SET synchronous_commit = off")
        for number in range(30):
            lazy.execute("UPDATE event SET memo = %s WHERE id = 1", (str(number),))

        def passed():
            lazy.execute("NOTIFY pgusher, '0'")
            return done_xmax(box) > flushed + 30
        box.until(passed, 8, lambda: f"cursor beyond {flushed}: {done_xmax(box)}", every=0.1)
        worker.process.send_signal(signal.SIGSTOP)
        own_cluster.crash()
        own_cluster.start()
        db = box.db = own_cluster.database(db.name)
        number = 0
        now = db.value("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        print("flushed", flushed, "cursor", done_xmax(box), "after the crash", now)
        assert now < done_xmax(box), "transaction numbers are given again"
        while number < 9:
            number += 1
            db.sql("UPDATE event SET name = %s WHERE id = %s", f"again {number}", number)
        worker.process.send_signal(signal.SIGCONT)
        box.until(lambda: worker.said("connected to PostgreSQL") > 1, 20, "connected again")
        box.until_asleep(20)
        box.in_step()
    finally:
        worker.process.send_signal(signal.SIGCONT)
        for _, text in box.report():
            print(text[-3000:])
        box.stop()
        shutil.rmtree(folder)


def test_a_worker_on_another_redis_does_not_do_this_ones_backfill(tickets, twin):
    """During a rolling change of the configuration some workers of the fleet still have the old Redis."""
    tickets.db.sql("CALL grow(10, 3000)")
    tickets.ready(tickets.projections)
    twin.start().says("bringing all documents in step")
    twin.until(lambda: not tickets.db.value("SELECT count(*) FROM pgusher.backfill"), 30, "all backfills are done")
    tickets.daemons[0].kill()
    twin.until_asleep(20)
    twin.in_step()


def test_redis_flushed_during_a_backfill_by_hand(tickets):
    """What was written before must not count as there."""
    tickets.db.sql("CALL grow(10, 20000)")
    tickets.install()
    runner = threading.Thread(target=tickets.pgusher, args=("backfill",))
    runner.start()
    until(lambda: tickets.redis.client.dbsize() > 10000, 20, "some are written", every=0.001)
    tickets.redis.client.flushall()
    runner.join()
    assert "contents of Redis are not what they were" in tickets.transcript[-1]
    tickets.start()
    tickets.until_asleep(60)
    tickets.in_step()


def test_redis_flushed_during_a_second_backfill_by_hand(tickets):
    tickets.db.sql("CALL grow(10, 20000)")
    tickets.install()
    tickets.pgusher("backfill").must(0)
    runner = threading.Thread(target=tickets.pgusher, args=("backfill",))
    runner.start()
    until(lambda: tickets.db.value("SELECT documents FROM pgusher.backfill WHERE projection = 'ticket'"), 20, "it has begun",
          every=0.001)
    tickets.redis.client.flushall()
    runner.join()
    assert "contents of Redis are not what they were" in tickets.transcript[-1]
    tickets.start()
    tickets.until_asleep(60)
    tickets.in_step()


def next_pid_is(number):
    """As after the kernel's numbers have gone round."""
    try:
        with open("/proc/sys/kernel/ns_last_pid", "w") as file:
            file.write(str(number))
    except OSError as error:
        pytest.skip(f"process ids cannot be chosen here: {error}")


def test_a_late_worker_whose_pid_is_lower_leaves_no_backfill_undone(tickets):
    """The worker that does a backfill loses its only partition to another one."""
    tickets.db.sql("CALL grow(10, 20000)")
    tickets.use(tickets.projections, partitions=1)
    tickets.install()
    tickets.start()
    backend = "SELECT max(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'pgusherd%'"
    tickets.until(lambda: tickets.db.value("SELECT count(*) FROM pgusher.backfill WHERE documents > 1000"), 20, "begun",
                  every=0.001)
    first = tickets.db.value(backend)
    next_pid_is(400)
    tickets.start()
    tickets.until(lambda: tickets.db.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                                           " AND application_name LIKE 'pgusherd%%' AND pid < %s", first), 10, "lower pid")
    tickets.until(lambda: tickets.daemons[0].said("0 of 1 partitions"), 10, "it gave its partition up")
    tickets.until_asleep(30)
    tickets.in_step()


def test_a_worker_reloaded_to_a_younger_database_does_not_take_it_for_an_older_state(tickets, twin, own_cluster):
    """What this process knows of one Redis says nothing about another."""
    for _ in range(300):
        tickets.db.sql("SELECT pg_current_xact_id()")
    worker = tickets.ready(tickets.projections)
    tickets.db.sql("UPDATE event SET name = 'of the first'")
    tickets.in_step()
    own_cluster.start()
    twin.db = own_cluster.create()
    twin.db.once(ticketing.schema())
    twin.ready(tickets.projections).stop()
    for times in (1, 2):
        shutil.copy(twin.path, tickets.path)
        worker.reload()
        tickets.until(lambda times=times: worker.said("configuration is adopted") == times, 10, "reloaded")
    twin.until_asleep()
    twin.in_step()
    assert not worker.said("back in time")
    worker.stop()


def test_going_back_in_time_takes_one_epoch_however_often_it_is_tried(tickets):
    """There are 1,023 of them, and a worker tries every few seconds."""
    tickets.ready(ticketing.projections()).kill()
    tickets.redis.client.hset(RECORD, "ordinal", tickets.db.value("SELECT txid_current() + 1000"))
    upkeep = tickets.db.connect(autocommit=True)
    upkeep.cursor().execute("SELECT pg_advisory_lock(1885828470, 1)")
    tickets.start()
    for _ in range(3):
        waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()"
        tickets.until(lambda: tickets.db.sql(waiting), 10, "it waits")
        pid = tickets.db.sql(waiting)
        tickets.db.sql("SELECT pg_terminate_backend(%s)", pid[0][0])
        tickets.until(lambda pid=pid: tickets.db.sql(waiting) not in ([], pid), 10, "it tries again")
    upkeep.close()
    tickets.until_asleep(20)
    assert tickets.redis.client.hget("pgusher:epoch", "epoch") == b"1"
    tickets.in_step()


def test_a_worker_stopped_for_long_brings_nothing_back(tickets):
    """Ten minutes later tombstones are gone; what it had read when it was stopped must not be written."""
    tickets.db.sql("CREATE FUNCTION slow(id int) RETURNS int LANGUAGE plpgsql AS"
                   " $$ BEGIN IF id = 4711 THEN PERFORM pg_sleep(1); END IF; RETURN id; END $$")
    tickets.db.sql("CREATE VIEW slow_card AS SELECT id, name, slow(id) AS same FROM event")
    zombie = tickets.ready({"slow": projection("slow_card", {"event": "id"})})
    tickets.db.sql("INSERT INTO event VALUES (4711, 1, 'late', now() + interval '1 day')")
    busy = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    tickets.until(lambda: tickets.db.value(busy), 10, "it reads", every=0.002)
    zombie.process.send_signal(signal.SIGSTOP)
    stopped_at = time.monotonic()
    tickets.until(lambda: not tickets.db.value(busy), 10, "it has read")
    tickets.db.sql("DELETE FROM event WHERE id = 4711")
    tickets.start()
    tickets.until(lambda: tickets.asleep(), 20, "taken over")
    tickets.in_step()
    stays(lambda: True, stopped_at + 21 - time.monotonic())
    for key in tickets.redis.client.scan_iter("pgusher:gone:*"):
        tickets.redis.client.delete(key)
    zombie.process.send_signal(signal.SIGCONT)
    zombie.says("stood still")
    tickets.until_asleep(20)
    tickets.in_step()


def test_two_databases_with_the_same_fleet_name_in_one_redis(cluster, tickets, workspace):
    """They would take the record beside the data from each other for ever. When the first one goes the other one may come."""
    other = cluster.create()
    other.sql("CREATE TABLE thing (id int PRIMARY KEY, name text); INSERT INTO thing VALUES (1, 'one')")
    folder = os.path.join(workspace, "other")
    os.mkdir(folder)
    box = Box(folder, other, tickets.redis)
    try:
        first = tickets.ready(tickets.projections)
        box.use({"thing": projection("thing", {"thing": "id"})})
        box.install()
        second = box.start()
        second.says("at work in this Redis", "another name", tickets.db.name)
        box.pgusher("backfill").must(69, "at work in this Redis")
        stays(lambda: not first.said("trying again") and not tickets.redis.client.exists("thing:1"), 3)
        first.stop()
        box.until(lambda: tickets.redis.client.exists("thing:1"), 15, "filled")
    finally:
        box.stop()
        shutil.rmtree(folder)
        other.drop()
