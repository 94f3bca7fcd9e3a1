"""What stands in rows, in names and in queues is data wherever it goes: SQL, Redis, commands, logs, a terminal, the page."""
import json

import psycopg2
import pytest

from harness.box import projection
from harness.http import Http, parse
from harness.programs import run_program

KEYS = ["o'quote", 'do"uble', "back\\slash", "back\\'mix", "%s %d %n", "$1 $$ $x$", "NULL", "", "{a,b}", '{"a"}', "\\N", "a,b", "(1,2)",
        " space ", "tab\tnl\ncr\r", "\x01\x7f", "ü\u0080\u009b", "'; DROP TABLE t; --", "\\x41", "{id}", "x" * 1_000_000]

TABLES = """
    CREATE TABLE t (id text, v text); CREATE INDEX ON t USING hash (id); CREATE TABLE d (n int PRIMARY KEY, k text);
    CREATE VIEW card AS SELECT t.id, t.v, (SELECT count(*) FROM d WHERE d.k = t.id) AS n FROM t"""


@pytest.fixture(params=["UTF8", "LATIN1", "SQL_ASCII"])
def encoded(box, request):
    """A database whose sessions read backslashes in every text."""
    cluster, name = box.db.cluster, f"in_{request.param.lower()}"
    cluster.admin(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{request.param}' LC_COLLATE 'C' LC_CTYPE 'C'")
    cluster.admin(f"ALTER DATABASE {name} SET standard_conforming_strings = off; ALTER DATABASE {name} SET backslash_quote = on")
    box.db = cluster.database(name)
    box.db.sql(TABLES)
    box.encoding = request.param
    yield box
    box.stop()
    box.db.drop()


def writer(box):
    connection = psycopg2.connect(f"{box.db.conninfo()} options='-c standard_conforming_strings=on'")
    connection.autocommit = True
    connection.set_client_encoding("UTF8")
    return connection


def test_keys_of_any_content_in_any_encoding(encoded):
    by_key = {"column": "k", "lookup": "SELECT id FROM t WHERE id = ANY($1) -- the end"}
    encoded.use({"card": projection("card", {"t": "id", "d": by_key}, key="doc:{id}", queues=["q"])})
    encoded.pgusher("check").must(0)
    encoded.ready(encoded.projections)
    connection = writer(encoded)
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO t VALUES (%s, %s)", [(key, key) for key in KEYS])
        cursor.executemany("INSERT INTO d VALUES (%s, %s)", list(enumerate(KEYS)))
        if encoded.encoding == "SQL_ASCII":
            cursor.execute(r"INSERT INTO t VALUES (E'raw\xff', 'x'), ('fine', E'\xfe')")
        encoded.until_caught_up()
        client = encoded.redis.client
        for key in KEYS:
            assert client.hmget("doc:" + key, "id", "v", "n") == [key.encode(), key.encode(), b"1"], key[:20]
            assert encoded.pgusher("explain", "card", key).code == 0 if len(key) < 20 else True
        if encoded.encoding == "SQL_ASCII":
            assert client.hget(b"doc:raw\xff", "v") == b"x" and client.hget("doc:fine", "v") == b"\xfe"
        encoded.pgusher("verify").must(0, "in step")
        assert encoded.quarantined() == []
        cursor.execute("DELETE FROM t")
    connection.close()
    encoded.until_caught_up()
    assert client.keys("doc:*") == []


@pytest.mark.parametrize("encoded", ["SQL_ASCII"], indirect=True)
def test_bytes_that_are_no_text_do_not_hide_what_is_wrong(encoded):
    encoded.db.sql("CREATE VIEW odd AS SELECT id, 1 / length(v) AS n FROM t")
    encoded.ready({"card": projection("odd", {"t": "id"}, key="doc:{id}")})
    connection = writer(encoded)
    with connection.cursor() as cursor:
        cursor.execute(r"INSERT INTO t VALUES (E'raw\xff', '')")
        cursor.execute(r"""INSERT INTO pgusher.backfill (fleet, projection, filter, reason, paused)
                           VALUES ('default', 'card', E'id = \'\xff\'', 'test', true)""")
    connection.close()
    encoded.until(lambda: encoded.db.value("SELECT count(*) FROM pgusher.quarantine"), 15, "it cannot be built")
    encoded.pgusher("quarantine", "list").must(0, "doc:raw\ufffd", "division by zero")
    assert json.loads(encoded.pgusher("quarantine", "list", "--json").must(0).out)["quarantine"][0]["key"] == "doc:raw\ufffd"
    encoded.pgusher("status").must(1, "1 document of card cannot be built", "backfill     card where id = '\ufffd'")


# ---- what is shown ----

HARM = "\x1b]0;pwned\x07\x1b[2J\x9b31m\nlevel=error forged\r<script>alert(1)</script>\" ' \\ {x} %s $1 -- "
TABLE, COLUMN = 'ta"\n%s<b>\'', 'co\x1b[32m"\n%s<i>\''


def quoted(name):
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'


def harmless(text):
    """Nothing moves a cursor, and no line of another's making stands there."""
    controls = [character for character in text if ord(character) < 32 and character not in "\n\t" or 0x7f <= ord(character) < 0xa0]
    assert not controls and not any(line.startswith("level=error forged") for line in text.splitlines()), repr(text)


def test_names_and_values_that_would_do_harm(box):
    connection = writer(box)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {quoted(TABLE)} (id text PRIMARY KEY, {quoted(COLUMN)} text, n int)", [])
        cursor.execute(f"CREATE INDEX {quoted('ix' + TABLE)} ON {quoted(TABLE)} ({quoted(COLUMN)})", [])
        cursor.execute(f"CREATE VIEW {quoted('v' + TABLE)} AS SELECT id, {quoted(COLUMN)}, 10 / n AS n FROM {quoted(TABLE)}", [])
        cursor.execute(f"INSERT INTO {quoted(TABLE)} VALUES (%s, %s, 1), (%s, %s, 0)", ["good" + HARM, HARM, "bad" + HARM, HARM])
    connection.close()
    harmless(box.pgusher("init", "--print", "--postgres", box.db.conninfo(), TABLE).must(0).err)
    box.use({"card": projection("v" + TABLE, {TABLE: "id"}, key="doc:{id}", queues=["q" + TABLE])}, http="127.0.0.1:0")
    box.pgusher("install").must(0)
    worker = box.start()
    box.until(box.quarantined, 20, "what cannot be built is in quarantine")
    box.redis.client.hset("doc:good" + HARM, COLUMN, HARM)
    box.redis.client.hset("doc:ghost" + HARM, "n", HARM)
    for verb in (["check"], ["status"], ["quarantine", "list"], ["explain", "card", "good" + HARM], ["explain", "card", "bad" + HARM],
                 ["explain", "card", "none" + HARM], ["explain", HARM, "1"], ["verify"], ["backfill", "--dry-run"], ["backfill", "--where", HARM],
                 ["fleet", "drop", HARM]):
        harmless(box.pgusher(*verb).text.replace("\nlevel=error forged", "") if HARM in verb else box.pgusher(*verb).text)
    for verb in (["peek", "q" + TABLE], ["stats", "q" + TABLE], ["doctor", "q" + TABLE]):
        harmless(run_program("pgusher-queue", "--redis", box.redis.url, *verb).text)
    http = Http(worker)
    assert "<script>alert" not in http.text("/")
    assert parse(http.text("/metrics"))
    assert http.json("/status.json")["quarantine"][0]["key"] == "doc:bad" + HARM
    harmless(worker.log)


def test_items_are_no_commands(box):
    """A consumer's command gets them on its standard input, one a line, and none can end the line."""
    trace = f"{box.folder}/ran"
    items = [f"$(touch {trace})", f"`touch {trace}`", f"'; touch {trace}; '", f"| touch {trace}", "-rf", "%s%n", "a\tb"]
    box.redis.client.lpush("q", *items, "two\nlines")
    told = run_program("pgusher-queue", "--redis", box.redis.url, "consume", "q", "--once", "--exec", f"cat >> {box.folder}/seen").must(0)
    with open(f"{box.folder}/seen") as file:
        assert sorted(file.read().splitlines()) == sorted(items), told
    with pytest.raises(FileNotFoundError):
        open(trace)
    stats = json.loads(run_program("pgusher-queue", "--redis", box.redis.url, "stats", "q", "--json").must(0).out)
    assert (stats["waiting"], stats["dead"]) == (0, 1)
