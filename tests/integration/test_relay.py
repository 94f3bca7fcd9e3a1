"""The relay that plays a broken network in other tests does what it says."""
import contextlib
import os
import select
import socket
import time

import psycopg2
import pytest
import redis

from harness.relay import Relay
from harness.waiting import until


@pytest.fixture
def relay(queue_redis):
    relay = Relay(queue_redis.socket)
    yield relay
    relay.stop()


@pytest.fixture
def pg_relay(db):
    relay = Relay(os.path.join(db.cluster.folder, ".s.PGSQL.5432"))
    yield relay
    relay.stop()


def through(relay, seconds=0.3):
    return redis.Redis.from_url(relay.redis_url, socket_timeout=seconds)


def raw(relay):
    end = socket.create_connection(relay.address)
    end.settimeout(5)
    return end


def ask(end):
    end.sendall(b"PING\r\n")
    return end.recv(100)


def silent(end):
    return not select.select([end], [], [], 0.2)[0]


def test_passes_much_in_both_directions(relay):
    text = os.urandom(5_000_000)
    client = through(relay, 10)
    client.set("relay", text)
    assert client.get("relay") == text


def test_unix_sockets(queue_redis, workspace):
    path = os.path.join(workspace, "relay.sock")
    relay = Relay(queue_redis.socket, path)
    assert through(relay).ping()
    relay.refuse()
    assert not os.path.exists(path)
    relay.stop()


def test_stall_holds_old_and_new_connections(relay):
    old = raw(relay)
    assert ask(old) == b"+PONG\r\n"
    relay.stall()
    new = raw(relay)
    for end in (old, new):
        end.sendall(b"PING\r\n")
        assert silent(end)
    relay.resume()
    assert [end.recv(100) for end in (old, new)] == [b"+PONG\r\n"] * 2


def test_stranded_connections_stay_so_and_new_ones_pass(relay):
    old = raw(relay)
    ask(old)
    relay.strand()
    old.sendall(b"PING\r\n")
    assert silent(old)
    assert ask(raw(relay)) == b"+PONG\r\n"


def test_cut_is_a_reset(relay):
    end = raw(relay)
    ask(end)
    relay.cut()
    with pytest.raises(ConnectionResetError):
        end.recv(100)
    assert relay.cuts == 1 and ask(raw(relay)) == b"+PONG\r\n"


def test_cut_in_the_middle_of_a_reply(relay):
    end = raw(relay)
    ask(end)
    relay.cut_after(3)
    assert ask(end) == b"+PO" and end.recv(100) == b""
    assert relay.cuts == 1 and ask(raw(relay)) == b"+PONG\r\n"


def test_refuse(relay):
    end = raw(relay)
    ask(end)
    relay.refuse()
    with pytest.raises(ConnectionRefusedError):
        raw(relay)
    assert ask(end) == b"+PONG\r\n", "an open connection stays"
    relay.accept()
    assert ask(raw(relay)) == b"+PONG\r\n"


def test_delay_keeps_the_order(relay):
    end = raw(relay)
    ask(end)
    relay.delay(0.3)
    began = time.monotonic()
    end.sendall(b"ECHO 1\r\n")
    until(lambda: relay.held(), 5, "the question is on its way")
    relay.delay(0)
    end.sendall(b"ECHO 2\r\n")
    text = b""
    while len(text) < 14:
        text += end.recv(100)
    assert text == b"$1\r\n1\r\n$1\r\n2\r\n" and 0.3 <= time.monotonic() - began < 3


def test_a_server_that_is_not_there(workspace):
    relay = Relay(os.path.join(workspace, "nobody"))
    assert raw(relay).recv(10) == b""
    relay.stop()


def notified(connection):
    select.select([connection], [], [], 1)
    connection.poll()
    heard = [one.payload for one in connection.notifies]
    connection.notifies.clear()
    return heard


def test_deaf_for_notifications_only(pg_relay, db):
    pg_relay.deafen(False)
    with contextlib.closing(psycopg2.connect(f"{pg_relay.conninfo} dbname={db.name} user=postgres")) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("LISTEN x")
        db.sql("NOTIFY x, 'heard'")
        assert notified(connection) == ["heard"]
        pg_relay.deafen()
        db.sql("NOTIFY x, 'lost'")
        assert notified(connection) == []
        cursor.execute("SELECT repeat('A', 1000000), pg_notify('x', 'lost')")
        assert cursor.fetchone()[0] == "A" * 1_000_000 and notified(connection) == []
        pg_relay.deafen(False)
        db.sql("NOTIFY x, 'heard again'")
        assert notified(connection) == ["heard again"]
