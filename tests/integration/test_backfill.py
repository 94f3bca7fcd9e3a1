"""pgusher backfill: all documents, what it prints, and that it may run beside anything."""
import re

import pytest

from harness.programs import run_on_terminal
from harness.traffic import EVENTS, Traffic


def count(box, pattern):
    return len(list(box.redis.client.scan_iter(pattern, count=5000)))


def test_all_projections(tickets):
    tickets.install()
    tickets.pgusher("backfill").must(0)
    assert tickets.differences() == []
    assert count(tickets, "event:*") == 9 and count(tickets, "ticket:*") == 27


def test_one_projection(tickets):
    tickets.install()
    tickets.pgusher("backfill", "ticket").must(0)
    assert count(tickets, "event:*") == 0 and count(tickets, "ticket:*") == 27


def test_several_projections(tickets):
    tickets.install()
    tickets.pgusher("backfill", "ticket", "event").must(0)
    assert tickets.differences() == []


def test_unknown_projection(tickets):
    tickets.install()
    tickets.pgusher("backfill", "evnt").must(64, "evnt", "event")
    assert count(tickets, "event:*") + count(tickets, "ticket:*") == 0


def test_plain_lines_when_not_on_a_terminal(tickets):
    tickets.install()
    result = tickets.pgusher("backfill").must(0)
    assert "\r" not in result.text and "\x1b" not in result.text
    lines = result.text.splitlines()
    assert any(re.search(r"\bevent\b.*\b9\b", line) for line in lines), result
    assert any(re.search(r"\bticket\b.*\b27\b", line) for line in lines), result


def test_progress_on_a_terminal(tickets):
    tickets.db.sql("CALL grow(10, 20000)")
    tickets.install()
    drawn = run_on_terminal("pgusher", "-c", tickets.path, "backfill").must(0).out
    assert "\r" in drawn.replace("\r\n", "\n") and "100" in drawn and "%" in drawn
    assert "/s" in drawn and re.search(r"\beta\b|left|remaining", drawn, re.I), drawn[:500]


def test_empty_table(tickets):
    tickets.db.sql("TRUNCATE venue CASCADE")
    tickets.install()
    tickets.pgusher("backfill").must(0)
    assert count(tickets, "event:*") + count(tickets, "ticket:*") == 0


def test_many_chunks_with_gaps_and_composite_keys(box):
    box.db.sql("""CREATE TABLE place (site text, nr int, name text, PRIMARY KEY (site, nr));
                  INSERT INTO place SELECT chr(97 + n % 7), n * 17, 'n' FROM generate_series(1, 12345) n""")
    box.use({"place": {"source": "place", "id": ["site", "nr"], "key": "place:{site}:{nr}",
                       "watch": {"place": ["site", "nr"]}}})
    box.install()
    box.pgusher("backfill").must(0)
    assert box.differences() == [] and count(box, "place:*") == 12345


def test_text_ids_in_any_order(box):
    """Keyset chunks must order and compare by the same collation."""
    box.db.sql("""CREATE TABLE word (id text COLLATE "und-x-icu" PRIMARY KEY);
                  INSERT INTO word SELECT (ARRAY['a', 'B', 'Ä', 'z', '-', '"', '', ' '])[n % 8 + 1] || n
                  FROM generate_series(1, 9000) n""")
    box.use({"word": {"source": "word", "id": "id", "key": "word:{id}", "watch": {"word": "id"}}})
    box.install()
    box.pgusher("backfill").must(0)
    assert box.differences() == [] and count(box, "word:*") == 9000


def test_past_documents_are_not_written(tickets):
    tickets.db.sql("UPDATE event SET starts_at = now() - interval '20 days' WHERE id <= 3")
    tickets.install()
    tickets.pgusher("backfill").must(0)
    assert tickets.differences() == [] and count(tickets, "event:*") == 6


def test_repairs_what_differs(tickets):
    tickets.install()
    tickets.pgusher("backfill").must(0)
    tickets.redis.client.delete("event:1", "ticket:3")
    tickets.pgusher("backfill").must(0)
    assert tickets.differences() == []


def test_beside_live_changes(tickets):
    """The version guard lets neither overwrite the other's newer row."""
    tickets.db.sql("CALL grow(10, %s)", EVENTS)
    tickets.install()
    tickets.start()
    with Traffic(tickets.db, transactions=1200, seed=21):
        for _ in range(3):
            tickets.pgusher("backfill", "--wait").must(0)
    tickets.in_step(60)


@pytest.mark.parametrize("installed", [True, False])
def test_worker_need_not_run(tickets, installed):
    if installed:
        tickets.install()
    result = tickets.pgusher("backfill")
    assert result.code == 0 or (not installed and "install" in result.text), result
