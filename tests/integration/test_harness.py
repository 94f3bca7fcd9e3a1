"""The comparison itself: a planted difference must be found, or no other test means anything."""
import pytest

from harness import compare, ticketing
from harness.compare import expected


@pytest.fixture
def filled(tickets):
    """Redis filled by the test from the same rows."""
    for projection in tickets.projections.values():
        for key, (fields, ends) in expected(tickets.db, projection).items():
            tickets.redis.client.hset(key, mapping={**fields, "_v": "7", "_d": "x"})
            if ends:
                tickets.redis.client.execute_command("PEXPIREAT", key, int(ends))
    return tickets


def test_equal_contents_have_no_difference(filled):
    assert len(ticketing.document_keys(filled.redis.client)) == 9 + 27
    assert filled.differences() == []


@pytest.mark.parametrize("command, complaint", [
    (("HSET", "event:1", "name", "other"), "event:1: field name"),
    (("HDEL", "event:1", "city"), "event:1: field city"),
    (("HSET", "event:1", "extra", ""), "event:1: field extra"),
    (("HSET", "event:1", "_v", "0"), "event:1: _v"),
    (("HDEL", "event:1", "_d"), "event:1: _d"),
    (("DEL", "event:1"), "event:1: missing"),
    (("PERSIST", "event:1"), "event:1: expires at -1"),
    (("EXPIRE", "ticket:5", "100"), "ticket:5: expires"),
    (("HSET", "event:99", "id", "99"), "event:99: a ghost"),
    (("SET", "strange", "1"), "strange: a key of no contract"),
    (("SET", "event:1", "1"), "event:1: WRONGTYPE"),
])
def test_planted_difference_is_found(filled, command, complaint):
    filled.redis.client.execute_command(*command)
    found = filled.differences()
    assert len(found) == 1 and found[0].startswith(complaint), found


def test_past_document_is_a_ghost(filled):
    filled.db.sql("UPDATE event SET starts_at = now() - interval '11 days' WHERE id = 1")
    found = filled.differences()
    assert "event:1: a ghost, no row has it" in found and len(found) == 4, found


def test_reports_ten_and_counts_the_rest(filled):
    filled.redis.client.flushall()
    assert len(filled.differences()) == compare.LIMIT + 1


def test_copy_text_is_decoded():
    assert compare.unescape(rb"a\tb\\n\\x") == b"a\tb\\n\\x"
    assert compare.unescape(rb"\N") is None
