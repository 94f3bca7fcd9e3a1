"""The example indexers: what they do to a search engine, and what they say about it."""
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import groonga, indexer
from harness.bulk_server import BulkServer
from harness.indexer import delete, upsert

# groonga.py


@pytest.fixture
def engine(workspace):
    yield from groonga.running(workspace)


@pytest.fixture
def stand_in():
    server = BulkServer()
    yield server
    server.stop()


def into_groonga(engine, *documents):
    return indexer.run("groonga.py", "--server", engine.url, "--full-text", "name,city", documents=documents)


def all_ok(run, *keys):
    assert (run.code, run.ok, run.failed, run.text) == (0, set(keys), {}, "")


def test_groonga_finds_what_was_indexed(engine):
    all_ok(into_groonga(engine, upsert("event:1", 5, name="Große Halle", city="Köln"),
                        upsert("event:2", 6, name='Teatro "El Círculo"', price="12.50")), "event:1", "event:2")
    assert engine.found("Documents", "name", "círculo") == {"event:2"}
    assert engine.found("Documents", "city", "köln") == {"event:1"}
    assert engine.select("Documents")["event:2"] == {
        "name": 'Teatro "El Círculo"', "city": "", "price": "12.50", "pgusher_version": 6}


def test_groonga_follows_changes_and_deletions(engine):
    into_groonga(engine, upsert("event:1", name="old", notice="moved"), upsert("event:2", name="old"))
    all_ok(into_groonga(engine, upsert("event:1", 2, name="new"), delete("event:2"), delete("never:there")),
           "event:1", "event:2", "never:there")
    assert engine.found("Documents", "name", "old") == set()
    assert engine.select("Documents") == {"event:1": {"name": "new", "city": "", "notice": "", "pgusher_version": 2}}


def test_groonga_takes_the_same_batch_again(engine):
    batch = [*(upsert(f"event:{n}", n, name=f"Event {n}") for n in range(1, 1000)), delete("event:0")]
    into_groonga(engine, *batch)
    before = engine.select("Documents")
    assert into_groonga(engine, *batch).code == 0
    assert engine.select("Documents") == before and len(before) == 999
    assert engine.found("Documents", "name", "event 77") == {"event:77"}


def test_groonga_says_which_document_it_refuses(engine):
    into_groonga(engine, upsert("event:0", name="to make the table"))
    engine.call("column_create", table="Documents", name="price", flags="COLUMN_SCALAR", type="Float")
    long = "k" * 5000
    good = [upsert(f"event:{n}", name=f"Event {n}", price="9.5") for n in range(1, 40)]
    run = into_groonga(engine, *good[:20], upsert(long, name="x"), upsert("event:77", price="cheap"), *good[20:],
                       upsert("event:78", **{"a b": "c"}), delete(long))
    assert run.code == 0 and set(run.failed) == {long, "event:77", "event:78"}
    assert run.ok - {long} == {document["key"] for document in good}
    assert "cast" in run.failed["event:77"] and "'a b' cannot be a column" in run.failed["event:78"]
    assert engine.select("Documents")["event:39"]["price"] == 9.5


@pytest.mark.parametrize("key", ["tab\t", "line\n", "bytes \ufffd"])
def test_a_failure_that_no_verdict_can_tell_is_told_by_the_status(engine, key):
    run = into_groonga(engine, upsert("event:1", name="x"), upsert(key, **{"a b": "c"}))
    assert (run.code, run.ok, run.failed) == (1, {"event:1"}, {}) and "cannot be a column" in run.text
    assert into_groonga(engine, upsert(key, name="odd key")).code == 0
    assert key in engine.select("Documents")


def test_eight_at_once_on_an_empty_database(engine):
    arguments = ["groonga.py", "--server", engine.url, "--full-text", "name,city"]
    batches = [[upsert(f"event:{n}-{i}", name=f"common n{n}", **{f"field{n}": "x"}) for i in range(50)] for n in range(8)]
    started = [indexer.start(*arguments) for _ in batches]
    with ThreadPoolExecutor(len(batches)) as pool:
        runs = list(pool.map(indexer.feed, started, batches))
    assert [(run.code, len(run.ok), run.text) for run in runs] == [(0, 50, "")] * 8
    assert len(engine.found("Documents", "name", "common")) == 400


def test_groonga_is_down(engine):
    engine.stop()
    run = into_groonga(engine, upsert("event:1", name="x"))
    assert (run.code, run.ok, run.failed) == (75, set(), {}) and "refused" in run.text


@pytest.mark.parametrize("answer", [(500, [[-12, 0, 0, "no memory"], False]), (400, [[-22, 0, 0, "no"], False]),
                                    (502, "<html>Bad Gateway</html>"), (200, "{}"), (200, "[]"), (200, "[[")])
def test_something_else_than_a_working_groonga_blames_no_document(stand_in, answer):
    stand_in.whole = answer
    run = into_groonga(stand_in, upsert("event:1", name="x"), delete("event:2"))
    assert (run.code, run.ok, run.failed) == (75, set(), {}) and "Traceback" not in run.text


@pytest.mark.parametrize("most, ok, failed", [(3, 8, 0), (0, 0, 8)])
def test_groonga_that_loads_fewer_than_it_was_sent(stand_in, most, ok, failed):
    """What it answers, with 200, to JSON that was cut off."""
    names = [[name, ""] for name in ("name", "flags", "source")]
    columns = [names, *([name, "COLUMN_SCALAR", ["x"]] for name in ("name", "city", "pgusher_version"))]

    def answer(path, headers, body):
        return 200, [[0, 0, 0], columns if "column_list" in path else min(most, len(json.loads(body)))]
    stand_in.answer = answer
    run = into_groonga(stand_in, *(upsert(f"event:{n}", name="x") for n in range(8)))
    assert (run.code, len(run.ok), len(run.failed)) == (0, ok, failed)


# elasticsearch.py


def into_elastic(server, *documents, token=1, arguments=()):
    return indexer.run("elasticsearch.py", "--server", server.url, *arguments, documents=documents, token=token)


def test_elastic_upserts_and_deletes_under_the_token(stand_in):
    all_ok(into_elastic(stand_in, upsert("event:1", 7, name="Köln\n"), upsert("event:2", 9, name="x"), token=100),
           "event:1", "event:2")
    all_ok(into_elastic(stand_in, delete("event:2"), delete("never:there"), upsert("event:1", 8, city="Rosario"), token=101),
           "event:1", "event:2", "never:there")
    assert stand_in.documents == {"event:1": {"city": "Rosario"}}
    assert stand_in.versions["event:1"] == stand_in.versions["event:2"] == 101


def test_elastic_takes_the_same_batch_again(stand_in):
    for _ in range(2):
        all_ok(into_elastic(stand_in, upsert("event:1", name="x"), delete("event:2"), token=5), "event:1", "event:2")
    assert stand_in.documents == {"event:1": {"name": "x"}}


def test_elastic_keeps_what_a_newer_reservation_wrote(stand_in):
    into_elastic(stand_in, upsert("event:1", name="new"), delete("event:2"), token=9)
    all_ok(into_elastic(stand_in, upsert("event:1", name="old"), upsert("event:2", name="old"), token=8), "event:1", "event:2")
    assert stand_in.documents == {"event:1": {"name": "new"}}


def test_elastic_says_which_document_is_refused_and_why(stand_in):
    stand_in.numeric = {"price"}
    run = into_elastic(stand_in, upsert("event:1", price="9"), upsert("event:2", price="cheap"), upsert("event:3", price="8"))
    assert (run.code, run.ok, set(run.failed)) == (0, {"event:1", "event:3"}, {"event:2"})
    assert "failed to parse field [price]" in run.failed["event:2"] and '"cheap"' in run.failed["event:2"]


def test_elastic_is_too_busy_for_some(stand_in):
    stand_in.busy, stand_in.numeric = {"event:2"}, {"price"}
    run = into_elastic(stand_in, upsert("event:1"), upsert("event:2"), upsert("event:3", price="cheap"), delete("event:4"))
    assert (run.code, run.ok, set(run.failed)) == (75, {"event:1", "event:4"}, {"event:3"})
    assert "too busy for 1 documents" in run.text


@pytest.mark.parametrize("status, body", [(429, ""), (503, "unavailable"), (401, "who are you?"), (404, ""), (200, "{}"),
                                          (200, "[]"), (200, "<html>"), (302, "")])
def test_elastic_cannot_work_at_all(stand_in, status, body):
    stand_in.whole = (status, body)
    run = into_elastic(stand_in, upsert("event:1"), delete("event:2"))
    assert (run.code, run.ok, run.failed) == (75, set(), {}) and "Traceback" not in run.text


def test_elastic_is_down(stand_in):
    stand_in.stop()
    run = into_elastic(stand_in, upsert("event:1"))
    assert (run.code, run.ok, run.failed) == (75, set(), {}) and "refused" in run.text


def test_elastic_splits_large_bodies(stand_in):
    documents = [upsert(f"event:{n}", text="w" * 1_500_000) for n in range(10)] + [upsert("large", text="w" * 12_000_000)]
    assert into_elastic(stand_in, *documents).code == 0
    sizes = [size for _, _, size in stand_in.requests]
    assert [size > 10_000_000 for size in sizes] == [False, False, True] and len(stand_in.documents) == 11


def test_elastic_refuses_a_whole_body_for_one_document(stand_in):
    """413 of a proxy that takes less, and 400 because of an id that is too long."""
    stand_in.limit_bytes = 5000
    long = "i" * 600
    documents = [upsert(f"event:{n}", text="w" * 500) for n in range(20)] + [upsert(long), upsert("large", text="w" * 6000)]
    run = into_elastic(stand_in, *documents)
    assert run.code == 0 and len(run.ok) == 20 == len(stand_in.documents)
    assert "HTTP 400" in run.failed[long] and "too long" in run.failed[long] and "HTTP 413" in run.failed["large"]


@pytest.mark.parametrize("secret, header", [("elastic:pass:word\n", "Basic ZWxhc3RpYzpwYXNzOndvcmQ="), ("ApiKey abc==", "ApiKey abc==")])
def test_elastic_says_who_it_is(stand_in, tmp_path, secret, header):
    path = tmp_path / "auth"
    path.write_text(secret)
    assert into_elastic(stand_in, upsert("event:1"), arguments=["--auth-file", str(path)]).code == 0
    assert stand_in.requests[0][1]["Authorization"] == header


def test_elastic_run_by_the_queue(stand_in, queue):
    """Busy at first, then not; one document it never takes; one that is gone."""
    queue.client.hset("event:1", mapping={"name": "x", "_v": 7, "_d": "d"})
    queue.client.hset("event:2", mapping={"price": "cheap"})
    stand_in.busy, stand_in.numeric = {"event:1"}, {"price"}
    queue.push("event:1", "event:2", "event:3")
    queue.consume(f"{indexer.path('elasticsearch.py')} --server {stand_in.url}", "--docs")
    queue.until_counted(acked=1, failed=1, released=1)
    assert "failed to parse field [price]" in queue.delayed()["event:2"]["reason"]
    stand_in.busy = set()
    queue.until_counted(acked=2)
    assert stand_in.documents == {"event:1": {"name": "x"}} and stand_in.versions["event:1"] > stand_in.versions["event:3"]


def test_by_hand_the_verdicts_go_to_the_terminal(stand_in):
    """Without a pipe on file descriptor 3."""
    line = json.dumps(upsert("event:1")).encode()
    done = subprocess.run([indexer.path("elasticsearch.py"), "--server", stand_in.url], input=line, capture_output=True,
                          env={**os.environ, "TOKEN": "1"}, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"ok\tevent:1\n")
