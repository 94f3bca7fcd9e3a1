"""A Redis Cluster: documents in every slot, slots that move, primaries that fail."""
import os
import signal

import pytest

from harness import ticketing
from harness.box import projection
from harness.documented import acl_rules
from harness.ports import free_ports
from harness.redis_cluster import move_slot, running
from harness.redis_server import RedisServer
from harness.traffic import Traffic
from harness.waiting import until


@pytest.fixture
def six(workspace):
    """Each primary has a replica."""
    with running(os.path.join(workspace, "rc"), replicas=1) as cluster:
        yield cluster


@pytest.fixture
def locked(workspace):
    with running(os.path.join(workspace, "rc"), password="d@ta") as cluster:
        yield cluster


def changed(box, name, seconds=20):
    """A change of every event arrives, whichever slot it is in."""
    box.db.sql("UPDATE event SET name = %s WHERE id <= 9", name)
    for number in range(1, 10):
        box.until_has(f"event:{number}", seconds, name=name)


def test_documents_in_every_slot(tickets, three):
    tickets.redis = three
    tickets.ready(ticketing.projections())
    assert {three.slot_owner(f"event:{number}") for number in range(1, 10)} == {0, 1, 2}
    changed(tickets, "x")
    tickets.db.sql("DELETE FROM ticket WHERE id = 1; DELETE FROM event WHERE id = 9")
    tickets.until_gone("event:9")
    tickets.in_step()
    assert {"event:1", "event:9", "ticket:1"} <= set(tickets.queued())
    status = tickets.pgusher("status").must(0, "{search}").out
    assert all(f" at {address}, master" in status for address in three.addresses), status


def test_ids_with_braces(tickets, three):
    """Whether they are hash tags or not, a document and its tombstone are in one slot."""
    tickets.redis = three
    tickets.db.sql("CREATE TABLE word (id text PRIMARY KEY); INSERT INTO word SELECT unnest(%s::text[])", ["a{b", "a}b", "{}", "}{", "{a}b", "a{b}c}", "{"])
    tickets.ready({"word": projection("word", {"word": "id"}, key="word:{id}")})
    tickets.in_step()
    tickets.db.sql("UPDATE word SET id = id || '.'")
    tickets.in_step()
    tickets.db.sql("DELETE FROM word")
    tickets.in_step()
    assert tickets.quarantined() == []


def test_all_keys_are_looked_at(tickets, three):
    """After a TRUNCATE, on every primary."""
    tickets.redis = three
    tickets.ready(ticketing.projections())
    tickets.db.sql("TRUNCATE ticket")
    until(lambda: not list(three.client.scan_iter("ticket:*")), 20)
    tickets.in_step()


def test_any_node_leads_to_all(tickets, three):
    tickets.redis = three
    down = "127.0.0.1:1"
    tickets.ready(ticketing.event_only(), redis=f"redis+cluster://{down},{three.addresses[2]}")
    changed(tickets, "x")


def test_slots_move_under_traffic(tickets, three):
    """Those with many documents, from each node to the next."""
    tickets.redis = three
    tickets.db.sql("CALL grow(10, 2000)")
    worker = tickets.ready(ticketing.projections())
    with Traffic(tickets.db, 6000) as traffic:
        until(lambda: traffic.part(0.1), 60)
        for number in range(200):
            key = "{search}" if number == 100 else f"event:{number + 11}"
            owner = three.slot_owner(key)
            move_slot(three, three.client.keyslot(key), owner, (owner + 1) % 3)
            three.client.nodes_manager.initialize()
    tickets.in_step(60)
    assert worker.alive() and not worker.said("trying again"), "it followed, without starting anew"


def hand_over_empty_slots(cluster, source, target, but):
    """All of a node's slots, none of which has keys, but for one."""
    ids = [node.client.execute_command("CLUSTER", "MYID").decode() for node in cluster.nodes]
    for number in (target, source, 3 - target - source):
        with cluster.nodes[number].client.pipeline(transaction=False) as commands:
            for slot in range(5461 * source, min(5461 * (source + 1) + 2, 16384)):
                if slot != but and cluster.client.nodes_manager.slots_cache[slot][0].port == int(cluster.urls[source].rsplit(":", 1)[1]):
                    commands.execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[target])
            commands.execute()
    cluster.client.nodes_manager.initialize()


def test_the_last_slot_of_a_node_is_moved(tickets, three):
    """By redis-cli --cluster del-node, say. The worker goes on with those that are left."""
    tickets.redis = three
    owner, slot = three.slot_owner("event:1"), three.client.keyslot("event:1")
    for node in three.nodes:
        node.client.config_set("cluster-allow-replica-migration", "no")  # else it becomes a replica before it is told
    hand_over_empty_slots(three, owner, (owner + 1) % 3, slot)
    tickets.ready(ticketing.event_only())
    assert three.slot_owner("event:1") == owner
    with Traffic(tickets.db, 6000) as traffic:
        until(lambda: traffic.part(0.1), 60)
        move_slot(three, slot, owner, (owner + 1) % 3)
        three.client.nodes_manager.initialize()
        for number in range(20):
            tickets.db.sql("UPDATE event SET name = %s WHERE id = 1", f"x{number}")
    tickets.until_has("event:1", 60, name="x19")
    tickets.in_step(60)


def test_a_primary_is_added(tickets, three):
    """It gets slots under traffic, and a record of its own: what it forgets is noticed, and nothing else is written anew."""
    tickets.redis = three
    tickets.db.sql("CALL grow(10, 300)")
    worker = tickets.ready(ticketing.projections())
    with Traffic(tickets.db, 3000) as traffic:
        until(lambda: traffic.part(0.1), 60)
        number = three.add()
        three.reshard(0, number, 2000)
    tickets.in_step(60)
    assert worker.alive() and (worker.said("its primaries are others now") or worker.said("is a primary now")) and not worker.said("bringing all documents in step")
    worker.stop()
    again = tickets.start()
    changed(tickets, "after")
    assert not again.said("bringing all documents in step")
    three.nodes[number].client.flushall()
    again.says("bringing all documents in step", seconds=60)
    tickets.until(lambda: not tickets.differences(), 60, tickets.differences)


def test_a_slot_stands_open_for_a_while(tickets, three):
    """What is asked meanwhile waits, or is asked of the other node, and is done in the end."""
    tickets.redis = three
    worker = tickets.ready(ticketing.event_only())
    owner, slot = three.slot_owner("event:1"), three.client.keyslot("event:1")
    target = (owner + 1) % 3
    ids = [node.client.execute_command("CLUSTER", "MYID").decode() for node in three.nodes]
    three.nodes[target].client.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[owner])
    three.nodes[owner].client.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
    tickets.db.sql("UPDATE event SET name = 'x'")
    tickets.until_has("event:2", name="x")
    refused = three.nodes[owner].client
    until(lambda: "errorstat_TRYAGAIN" in refused.info("errorstats"), 5)
    move_slot(three, slot, owner, target)
    three.client.nodes_manager.initialize()
    tickets.until_has("event:1", name="x")
    tickets.in_step()
    assert not worker.said("trying again")


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP], ids=["kill", "stop"])
def test_a_primary_fails_under_traffic(tickets, six, sign):
    """Its replica is promoted; it comes back as a replica."""
    tickets.redis = six
    tickets.db.sql("CALL grow(10, 2000)")
    worker = tickets.ready(ticketing.projections())
    failing = six.nodes[six.slot_owner("event:1")]
    number = six.nodes.index(failing)
    with Traffic(tickets.db, 6000) as traffic:
        until(lambda: traffic.part(0.2), 60)
        failing.process.send_signal(sign)
        if sign == signal.SIGKILL:
            failing.stop()
        until(lambda: promoted(six, number), 30)
        six.client = six.connect(but=number)
        changed(tickets, "after", 15)
        if sign == signal.SIGKILL:
            failing.start()
        else:
            failing.process.send_signal(signal.SIGCONT)
        until(lambda: six.call(number, "ROLE").startswith("slave"), 30)
    tickets.in_step(60)
    assert worker.alive()


def promoted(cluster, failed):
    """Three others say that they are primaries, and one of them that all is well."""
    others = [number for number in range(6) if number != failed]
    roles = [cluster.call(number, "ROLE") for number in others]
    return sum(role.startswith("master") for role in roles) == 3 and \
        "cluster_state:ok" in cluster.call(others[0], "CLUSTER", "INFO")


def test_a_failover_at_rest(tickets, six):
    """Nobody asks anything of the old primary: that there is another one is noticed all the same."""
    tickets.redis = six
    worker = tickets.ready(ticketing.event_only())
    number = six.slot_owner("event:1")
    six.nodes[number].process.send_signal(signal.SIGSTOP)
    tickets.until(lambda: worker.said("redis cluster", "primar") or worker.said("caught up") > 1, 20, lambda: worker.log)
    six.nodes[number].process.send_signal(signal.SIGCONT)
    six.client = six.connect(but=number)
    changed(tickets, "after")


def test_the_cluster_is_down_for_a_while(tickets, three):
    """A primary without a replica: nothing can be written until it is back."""
    tickets.redis = three
    worker = tickets.ready(ticketing.event_only())
    three.nodes[0].stop()
    tickets.db.sql("UPDATE event SET name = 'x'")
    worker.says("redis at", "trying again")
    three.nodes[0].start()
    until(three.is_well, 20)
    tickets.until_has("event:9", 20, name="x")
    tickets.in_step(40)


def test_a_queue_without_a_tag_is_refused(tickets, three):
    projections = {"event": projection("event_card", {"event": "id"}, key="event:{id}", queues=["search"])}
    tickets.use(projections, redis=three.url, queues={"mail": {}, "{good}": {}})
    result = tickets.pgusher("check", "--offline").must(78, "queues.search", "{search}", "queues.mail", "hash tag")
    assert "{good}" not in result.text


def test_a_single_redis_address_of_a_cluster(tickets, three):
    tickets.use(ticketing.event_only(), redis=three.urls[0])
    tickets.install()
    worker = tickets.start()
    worker.exits(78)
    assert worker.said("level=error", "redis+cluster://")


def test_a_cluster_address_of_a_single_redis(tickets, workspace):
    [port] = free_ports(1)
    single = RedisServer(os.path.join(workspace, "single"), "--port", str(port), "--bind", "127.0.0.1")
    try:
        single.start()
        tickets.use(ticketing.event_only(), redis=f"redis+cluster://127.0.0.1:{port}")
        tickets.install()
        worker = tickets.start()
        worker.exits(78)
        assert worker.said("level=error", "cluster support disabled")
    finally:
        single.remove()


def test_documented_privileges_are_enough(tickets, three):
    tickets.redis = three
    for node in three.nodes:
        node.client.execute_command(*acl_rules("pgusher"))
    worker = tickets.ready(ticketing.projections(), redis=three.url.replace("//", "//pgusher:password@"))
    owner, slot = three.slot_owner("event:1"), three.client.keyslot("event:1")
    move_slot(three, slot, owner, (owner + 1) % 3)
    three.client.nodes_manager.initialize()
    changed(tickets, "x")
    tickets.in_step()
    tickets.pgusher("check").must(0)
    assert "noperm" not in worker.log.lower()


def test_passwords(tickets, locked):
    tickets.redis = locked
    tickets.use(ticketing.event_only(), redis=locked.url)
    tickets.install()
    worker = tickets.start()
    worker.exits(78)
    assert worker.said("level=error", "noauth")
    tickets.use(ticketing.event_only(), redis=locked.url.replace("//", "//:d%40ta@"))
    worker = tickets.start()
    tickets.until_asleep()
    changed(tickets, "x")
    worker.stop()
    assert "d@ta" not in worker.log and "d%40ta" not in worker.log
