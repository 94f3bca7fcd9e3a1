"""What a hash holds: the text of every type, awkward names and values, and when it ends."""
import time

import pytest

from harness.box import projection
from harness.programs import SLOWER
from harness.waiting import until

TYPES = """
    CREATE TYPE mood AS ENUM ('so so', 'happy');
    CREATE TYPE pair AS (a int, b text);
    CREATE TABLE thing (
        id bigint PRIMARY KEY, yes boolean, no boolean, small smallint, amount numeric, exact numeric(20, 10),
        wide double precision, narrow real, padded char(8), words text, quoted text, empty text, missing text,
        raw bytea, day date, clock time, zoned timestamptz, local timestamp, span interval, ident uuid, doc jsonb,
        plain json, numbers int[], texts text[], matrix int[][], state mood, couple pair, net inet, spot point,
        hours tstzrange, search tsvector, bits bit(5), mark xml, _hidden text, "_" text, "Name with space" text, "ünï" text
    );
    CREATE VIEW thing_card AS SELECT * FROM thing"""

ROW = """
    INSERT INTO thing VALUES (
        9007199254740993, true, false, -5, 'NaN', 12.5, 0.1, 1e-20, 'ab', E'line\\none\\ttab\\\\ end ', 'it''s "so"', '', NULL,
        '\\x00ff0a0d5c', '2024-02-29', '23:59:59.5', '2024-07-01 12:00:00.123456+02', '2024-07-01 12:00',
        '1 year 2 days 03:04:05.6', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '{"b": [1, null, "ü"], "a": 12345678901234567890}',
        '{"z" :  1}', '{1,NULL,3}', '{"a b","c,d",NULL,"","\\"q\\""}', '{{1,2},{3,4}}', 'so so', (1, 'x y'), '10.0.0.0/8',
        '(1,2)', '[2024-07-01 12:00+02,)', 'fat:2 cat:3', B'10101', '<a>1</a>', 'secret', 'secret', 'x', 'naïve 東京 🎟')"""

FIELDS = {
    "id": "9007199254740993", "yes": "t", "no": "f", "small": "-5", "amount": "NaN", "exact": "12.5000000000", "wide": "0.1",
    "narrow": "1e-20", "padded": "ab      ", "words": "line\none\ttab\\ end ", "quoted": "it's \"so\"", "empty": "",
    "raw": "\\x00ff0a0d5c", "day": "2024-02-29", "clock": "23:59:59.5", "zoned": "2024-07-01 10:00:00.123456+00",
    "local": "2024-07-01 12:00:00", "span": "1 year 2 days 03:04:05.6", "ident": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "doc": '{"a": 12345678901234567890, "b": [1, null, "ü"]}', "plain": '{"z" :  1}', "numbers": "{1,NULL,3}",
    "texts": '{"a b","c,d",NULL,"","\\"q\\""}', "matrix": "{{1,2},{3,4}}", "state": "so so", "couple": '(1,"x y")',
    "net": "10.0.0.0/8", "spot": "(1,2)", "hours": '["2024-07-01 10:00:00+00",)', "search": "'cat':3 'fat':2",
    "bits": "10101", "mark": "<a>1</a>", "Name with space": "x", "ünï": "naïve 東京 🎟",
}


@pytest.fixture
def things(box):
    box.db.sql(TYPES)
    box.ready({"thing": projection("thing_card", {"thing": "id"}, key="thing:{id}", queues=["{search}"])})
    box.db.sql(ROW)
    return box


def test_text_of_every_type(things):
    key = f"thing:{FIELDS['id']}"
    things.until_has(key)
    assert things.hash(key) == FIELDS
    things.in_step()


@pytest.mark.parametrize("before, after", [("''", "NULL"), ("NULL", "''"), ("'x'", "NULL"), ("'\\N'", "NULL")])
def test_empty_and_null_differ(things, before, after):
    """The digest must tell them apart too, or the change would not be written."""
    key = f"thing:{FIELDS['id']}"
    things.db.sql(f"UPDATE thing SET words = {before}, quoted = {after}, small = 1")
    things.until_has(key, small="1")
    things.in_step()
    things.drain()
    things.db.sql(f"UPDATE thing SET words = {after}, quoted = {before}")
    until(lambda: things.queued() == [key])
    things.in_step()
    assert ("words" in things.hash(key)) == (after != "NULL")


def test_change_of_a_hidden_column_only(things):
    things.until_has(f"thing:{FIELDS['id']}")
    things.in_step()
    things.drain()
    things.db.sql("UPDATE thing SET _hidden = 'other'")
    things.in_step()
    assert things.queued() == [] and "_hidden" not in things.hash(f"thing:{FIELDS['id']}")


def test_large_fields(things):
    things.db.sql("UPDATE thing SET words = repeat('é', 500000), raw = decode(repeat('00ff', 250000), 'hex')")
    until(lambda: things.redis.client.hstrlen(f"thing:{FIELDS['id']}", "words") == 1_000_000, 10 * SLOWER)
    things.in_step()
    assert things.redis.client.hstrlen(f"thing:{FIELDS['id']}", "raw") == 1_000_002


def test_many_large_documents(things):
    """200 documents of 1 MB in one transaction: batches are bounded by bytes, not only by rows."""
    things.db.sql("INSERT INTO thing (id, words) SELECT n, repeat(chr(64 + n % 26), 1000000) FROM generate_series(1, 200) n")
    things.until_has("thing:200", seconds=30, id="200")
    things.in_step(30)
    assert SLOWER > 1 or things.daemons[0].peak_kb() < 64 * 1024


# expiry

@pytest.fixture(params=["timestamptz", "timestamp", "date"])
def shows(request, box):
    """Documents with a date of that type and two days of grace."""
    box.db.sql(f"CREATE TABLE show (id int PRIMARY KEY, name text, at {request.param})")
    box.ready({"show": projection("show", {"show": "id"}, expire_at="at", expire_grace="2 days", queues=["{search}"])})
    return box


def put_show(box, value, number=1):
    box.db.sql(f"""SET TimeZone = 'UTC'; INSERT INTO show VALUES ({number}, 'x', {value})
                   ON CONFLICT (id) DO UPDATE SET at = excluded.at""")


def ends_in(box, number=1):
    """Seconds, -1 for never, -2 for no document."""
    moment = box.redis.client.execute_command("PEXPIRETIME", f"show:{number}")
    return moment if moment < 0 else moment / 1000 - time.time()


def test_expiry_is_date_plus_grace(shows):
    put_show(shows, "date_trunc('day', now()) + interval '5 days'")
    shows.until_has("show:1")
    shows.in_step()
    midnight = (time.time() // 86400 + 7) * 86400
    assert abs(ends_in(shows) + time.time() - midnight) < 1


@pytest.mark.parametrize("value", ["NULL", "'infinity'"])
def test_never_expires(shows, value):
    put_show(shows, value)
    shows.until_has("show:1")
    shows.in_step()
    assert ends_in(shows) == -1


@pytest.mark.parametrize("value", ["'-infinity'", "now() - interval '4 days'", "'1969-07-20'", "'4000-01-01 BC'"])
def test_past_date_makes_no_document(shows, value):
    put_show(shows, value)
    put_show(shows, "NULL", number=2)
    shows.until_has("show:2")
    shows.in_step()
    assert not shows.redis.client.exists("show:1")


def test_far_future(shows):
    put_show(shows, "'9999-12-31'")
    shows.until_has("show:1")
    shows.in_step()
    assert ends_in(shows) > 7000 * 365 * 86400


def test_within_the_grace_it_stays(shows):
    put_show(shows, "now() - interval '1 day'")
    shows.until_has("show:1")
    shows.in_step()
    assert 0 < ends_in(shows) <= 86400


def test_date_moved_to_the_past_and_back(shows):
    """Removed and queued, then there again and queued again."""
    put_show(shows, "now() + interval '5 days'")
    shows.until_has("show:1")
    shows.in_step()
    assert shows.drain() == ["show:1"]
    put_show(shows, "now() - interval '5 days'")
    shows.until_gone("show:1")
    shows.in_step()
    assert shows.drain() == ["show:1"]
    put_show(shows, "now() + interval '9 days'")
    shows.until_has("show:1")
    shows.in_step()
    assert shows.drain() == ["show:1"]


def test_date_moved_later_and_dropped(shows):
    put_show(shows, "now() + interval '5 days'")
    shows.until_has("show:1")
    put_show(shows, "now() + interval '50 days'")
    until(lambda: ends_in(shows) > 50 * 86400)
    shows.in_step()
    put_show(shows, "NULL")
    until(lambda: ends_in(shows) == -1)
    shows.in_step()


def test_hidden_date_moves_the_expiry(box):
    """The date's column is not stored, so the digest is the same; the TTL must follow all the same."""
    box.db.sql("CREATE TABLE show (id int PRIMARY KEY, name text, _at timestamptz)")
    box.ready({"show": projection("show", {"show": "id"}, expire_at="_at", queues=["{search}"])})
    box.db.sql("INSERT INTO show VALUES (1, 'x', now() + interval '5 days')")
    box.until_has("show:1", name="x")
    box.in_step()
    box.db.sql("UPDATE show SET _at = now() + interval '50 days'")
    until(lambda: ends_in(box) > 49 * 86400)
    box.in_step()
    box.db.sql("UPDATE show SET _at = NULL")
    until(lambda: ends_in(box) == -1)
    box.in_step()


def test_document_that_expired_by_itself_comes_back(box):
    """Redis removed it; the row's date is then moved. Nothing that remembers it may stand in the way."""
    box.db.sql("CREATE TABLE show (id int PRIMARY KEY, name text, at timestamptz)")
    box.ready({"show": projection("show", {"show": "id"}, expire_at="at", queues=["{search}"])})
    box.db.sql("INSERT INTO show VALUES (1, 'x', now() + interval '1 second')")
    box.until_has("show:1")
    until(lambda: not box.redis.client.exists("show:1"), 5)
    box.db.sql("UPDATE show SET at = now() + interval '1 day'")
    box.until_has("show:1", name="x")
    box.in_step()


WORDS = ["", "-", "+1", "-0", "00", "1 ", "1.0", "0x1", *(str(n) for edge in (0, 127, 4095, 32767, 8388607, 2147483647) for n in
         (edge, edge + 1, -edge - 1, -edge - 2)), *(str(sign * n) for sign in (1, -1) for n in
         (10 ** 18 - 1, 10 ** 18, 2 ** 63 - 1, 2 ** 63, 2 ** 64, 10 ** 30))]
LENGTHS = [62, 63, 64, 125, 126, 127, 4095, 4096, 16378, 16379, 16380, 16381, 2097140, 2097146, 2097147, 2097148]


def test_words_are_kept_as_redis_keeps_them(box):
    """Documents are written in Redis's own format (cdc/packed.c): here it looks at every byte of it."""
    box.redis.client.config_set("sanitize-dump-payload", "yes")
    box.db.sql("CREATE TABLE item (id int PRIMARY KEY, word text, last text NOT NULL DEFAULT 'x')")
    box.ready({"item": projection("item", {"item": "id"}, key="i:{id}")})
    box.db.sql("INSERT INTO item SELECT n, word FROM unnest(%s::text[]) WITH ORDINALITY _(word, n)", WORDS)
    box.db.sql("INSERT INTO item SELECT 1000 + n, repeat('y', length) FROM unnest(%s::int[]) WITH ORDINALITY _(length, n)", LENGTHS)
    box.until_caught_up()
    box.in_step()
    for number, word in enumerate(WORDS, 1):
        assert box.hash(f"i:{number}") == {"id": str(number), "word": word, "last": "x"}
        box.redis.client.hset(f"j:{number}", mapping={"_d": "x" * 16, "_v": "", **box.hash(f"i:{number}")})
        box.redis.client.hset(f"i:{number}", "_v", "")
        if len(word) < 19:
            assert box.redis.client.memory_usage(f"i:{number}") == box.redis.client.memory_usage(f"j:{number}"), word
    for number, length in enumerate(LENGTHS, 1001):
        assert box.redis.client.hstrlen(f"i:{number}", "word") == length and box.redis.client.hget(f"i:{number}", "last") == b"x"
