"""The scripts that write documents, as the worker calls them."""
import time

import pytest
import redis

from harness.packed import packed
from harness.queue import script

TOMBSTONE_MS = 60_000
PUT, UNCHANGED, REMOVED, ABSENT, ABSENT_UNTOLD, ABSENT_LATELY, STALE = 1, 0, 2, 3, 4, 5, -1
PAST, NEVER = 1, 0


def digest_of(fields, expire_at):
    return f"{hash((tuple(fields.items()), expire_at)) & 2 ** 64 - 1:016x}"


def tombstone(key):
    return f"pgusher:gone:{{{key}}}"


def call(client, name, keys, arguments):
    return client.eval(script(name), 2 * len(keys), *keys, *map(tombstone, keys), TOMBSTONE_MS, *arguments)


def put_all(client, *documents):
    """Each a key, a version, fields and an expiry."""
    arguments = [word for _, version, fields, expire_at in documents
                 for word in (expire_at, packed(version, digest_of(fields, expire_at), fields))]
    return call(client, "put", [key for key, *_ in documents], arguments)


def put(client, key, version, fields, expire_at=NEVER):
    return put_all(client, (key, version, fields, expire_at))[0]


def remove(client, key, version):
    return call(client, "remove", [key], [version])[0]


def fields_of(client, key):
    return {name.decode(): value.decode() for name, value in client.hgetall(key).items() if name not in (b"_v", b"_d")}


@pytest.fixture
def client(redis_server):
    return redis_server.client


def in_ms(more):
    return int(time.time() * 1000) + more


def test_what_a_put_leaves(client):
    assert put(client, "d:1", 5, {"a": "x", "b": "y"}) == PUT
    assert put(client, "d:1", 6, {"c": "x", "d": "z"}) == PUT
    assert fields_of(client, "d:1") == {"c": "x", "d": "z"} and client.hget("d:1", "_v") == b"6"
    assert put(client, "d:1", 7, {"c": "x", "d": "z"}) == UNCHANGED
    assert client.hget("d:1", "_v") == b"7"
    assert put(client, "d:1", 6, {"c": "old"}) == STALE
    assert fields_of(client, "d:1") == {"c": "x", "d": "z"} and client.hget("d:1", "_v") == b"7"


def test_the_end_of_a_document_moves_and_goes(client):
    soon, later = in_ms(60_000), in_ms(90_000)
    assert put(client, "d:1", 5, {"a": "x"}, soon) == PUT and client.pexpiretime("d:1") == soon
    assert put(client, "d:1", 6, {"a": "x"}, later) == PUT and client.pexpiretime("d:1") == later
    assert put(client, "d:1", 7, {"a": "x"}) == PUT and client.pexpiretime("d:1") == -1


def test_a_tombstone_stands_against_what_is_older(client):
    put(client, "d:1", 5, {"a": "x"})
    assert remove(client, "d:1", 8) == REMOVED and remove(client, "d:1", 8) == ABSENT_LATELY
    assert put(client, "d:1", 7, {"a": "late"}) == STALE and not client.exists("d:1")
    assert put(client, "d:1", 8, {"a": "y"}) == PUT
    assert fields_of(client, "d:1") == {"a": "y"} and not client.exists(tombstone("d:1"))
    assert remove(client, "d:1", 7) == STALE and client.exists("d:1")


def test_a_put_of_the_past_removes(client):
    put(client, "d:1", 5, {"a": "x"})
    assert put(client, "d:1", 6, {"a": "x"}, PAST) == REMOVED and client.get(tombstone("d:1")) == b"6"
    assert put(client, "d:1", 6, {"a": "x"}, PAST) == ABSENT_LATELY
    assert put(client, "d:2", 6, {"a": "x"}, PAST) == ABSENT_UNTOLD
    assert put(client, "d:2", 6, {"a": "x"}, PAST) == ABSENT
    assert put(client, "d:2", 5, {"a": "x"}) == STALE


def test_what_was_removed_lately_is_told_again_for_half_a_tombstone(client):
    """However often somebody looks, and be his view older: then nothing is written."""
    put(client, "d:1", 5, {"a": "x"})
    assert remove(client, "d:1", 8) == REMOVED
    assert remove(client, "d:1", 7) == remove(client, "d:1", 9) == ABSENT_LATELY and client.get(tombstone("d:1")) == b"9"
    client.pexpire(tombstone("d:1"), TOMBSTONE_MS // 2)
    assert remove(client, "d:1", 8) == STALE and remove(client, "d:1", 10) == ABSENT
    assert 0 < client.pttl(tombstone("d:1")) <= TOMBSTONE_MS // 2
    assert remove(client, "d:2", 10) == ABSENT_UNTOLD and remove(client, "d:2", 10) == ABSENT
    assert 0 < client.pttl(tombstone("d:2")) <= TOMBSTONE_MS // 2


def test_documents_of_all_kinds_in_one_call(client):
    """New, old, newer, foreign, another type, removed: whichever is the first."""
    kinds = {"new": (5, PUT), "old": (5, PUT), "newer": (5, STALE), "foreign": (5, PUT), "list": (5, None), "gone": (5, STALE)}
    for first in kinds:
        client.flushall()
        put(client, "old", 4, {"a": "before"})
        put(client, "newer", 6, {"a": "ahead"})
        client.hset("foreign", mapping={"a": "1", "b": "2"})
        client.lpush("list", "x")
        remove(client, "gone", 6)
        keys = [first, *(key for key in kinds if key != first), "last"]
        replies = put_all(client, *((key, 5, {"a": "now"}, NEVER) for key in keys))
        for key, reply in zip(keys, replies):
            version, outcome = kinds.get(key, (5, PUT))
            if outcome is None:
                assert isinstance(reply, redis.ResponseError) and "WRONGTYPE" in str(reply)
            else:
                assert (key, reply) == (key, outcome)
        assert fields_of(client, "old") == fields_of(client, "foreign") == fields_of(client, "last") == {"a": "now"}
        assert fields_of(client, "newer") == {"a": "ahead"} and client.lrange("list", 0, -1) == [b"x"] and not client.exists("gone")


@pytest.mark.parametrize("documents, replies, left", [
    ([(5, "x", NEVER), (6, "y", NEVER)], [PUT, PUT], "y"),
    ([(6, "y", NEVER), (5, "x", NEVER)], [PUT, STALE], "y"),
    ([(6, "y", NEVER), (6, "y", NEVER)], [PUT, UNCHANGED], "y"),
    ([(6, "y", PAST), (5, "x", NEVER)], [ABSENT_UNTOLD, STALE], None),
    ([(5, "x", PAST), (6, "y", NEVER)], [ABSENT_UNTOLD, PUT], "y"),
    ([(5, "x", NEVER), (6, "y", PAST), (5, "x", NEVER)], [PUT, REMOVED, STALE], None)])
def test_a_key_twice_in_a_call(client, documents, replies, left):
    documents = [("d:1", version, {"a": text}, expire_at) for version, text, expire_at in documents]
    assert put_all(client, *documents) == replies
    assert fields_of(client, "d:1") == ({"a": left} if left else {})


def test_a_user_who_may_not_restore_is_told(client):
    """And nothing is forgotten: the tombstone stands."""
    remove(client, "d:1", 5)
    client.execute_command("ACL", "SETUSER", "default", "-restore")
    with pytest.raises(redis.ResponseError, match="executing the script|ACL failure in script"):
        put(client, "d:1", 6, {"a": "x"})
    assert client.get(tombstone("d:1")) == b"5"


def test_many_fields(client):
    """Redis keeps them as it keeps those of its own large hashes."""
    fields = {f"field {n}": n for n in range(2_000)}
    assert put(client, "d:1", 5, fields) == PUT
    assert fields_of(client, "d:1") == {name: str(value) for name, value in fields.items()}
    assert client.object("encoding", "d:1") == b"hashtable"
