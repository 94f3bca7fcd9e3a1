"""Types of columns, with values that are hard for somebody: each an input text.

key: has equality and order, so that it may be part of an id; its values are few, so that rows meet. twins: among them are some
that are equal and have different texts.
"""
from typing import NamedTuple

from names import TEXTS, literal


class Kind(NamedTuple):
    type: str
    values: list
    key: bool = False
    twins: bool = False
    array: bool = False  # array_agg may fail for it

    def value(self, rng):
        return self.sql(rng.choice(self.values))

    def sql(self, text):
        return f"CAST({literal(text)} AS {self.type.split(' COLLATE')[0]})"


KEY_TEXTS = ["", " ", "x", "X", "a b", "it's", '"q"', "{c,d}", "\\", "n\nl", "ü", "日本", "%s", "*", "a/b", "NULL"]

KEYS = [
    Kind("int", [str(n) for n in range(1, 25)], True),
    Kind("bigint", ["-9223372036854775808", "9223372036854775807", "0", "-1", "1", "2", "3", "4000000000"], True),
    Kind("smallint", [str(n) for n in range(-4, 8)], True),
    Kind("text", KEY_TEXTS, True),
    Kind("varchar(7)", [text for text in KEY_TEXTS if len(text) <= 7], True),
    Kind("char(4)", ["", "a", "ab", "abcd", "ü", "'", '"', "\\", "{}"], True),
    Kind('"char"', ["a", "b", "c", "'", '"', "\\"], True),
    Kind("name", ["a", "b", "c d", "'", '"', "x" * 63], True),
    Kind("uuid", [f"00000000-0000-4000-8000-00000000000{n}" for n in range(8)] + ["ffffffff-ffff-ffff-ffff-ffffffffffff"], True),
    Kind("date", ["2026-03-01", "2026-12-31", "0044-03-15 BC", "infinity", "-infinity", "9999-12-31", "5874897-12-31"], True),
    Kind("timestamptz", ["2026-03-01 12:00:00.123456+00", "2026-03-01 12:00:00+05:30", "0044-03-15 00:00:00+00 BC", "infinity",
                         "-infinity", "294276-12-31 23:59:59.999999+00", "1970-01-01 00:00:00+00"], True),
    Kind("timestamp(3)", ["2026-03-01 12:00:00.123", "infinity", "4713-01-01 00:00:00 BC", "1969-12-31 23:59:59.999"], True),
    Kind("time", ["00:00", "24:00", "12:34:56.789"], True),
    Kind("timetz", ["00:00+00", "12:34:56.789-03:30", "24:00+14"], True),
    Kind("interval", ["1 day", "24:00", "1 mon", "30 days", "-1 year 2 days", "00:00:00.000001"], True, True),
    Kind("numeric", ["1", "1.0", "1.00", "0", "-0.5", "NaN", "Infinity", "-Infinity", "1e40", "1e-40"], True, True),
    Kind("numeric(6,2)", ["1", "2.50", "-3.99", "NaN", "9999.99"], True),
    Kind("float8", ["0", "-0", "1e308", "0.1", "NaN", "Infinity", "-Infinity", "5e-324"], True, True),
    Kind("float4", ["1", "0.1", "NaN", "3.4e38"], True),
    Kind("boolean", ["true", "false"], True),
    Kind("bytea", ["\\x", "\\x00", "\\x00ff", "\\x5c", "\\x2022"], True),
    Kind("inet", ["10.0.0.1", "10.0.0.1/8", "::1", "fe80::/10"], True),
    Kind("cidr", ["10.0.0.0/8", "::/0"], True),
    Kind("macaddr", ["08:00:2b:01:02:03", "ff:ff:ff:ff:ff:ff"], True),
    Kind("money", ["1.00", "-2.50", "0"], True),
    Kind("bit(3)", ["000", "101", "111"], True),
    Kind("varbit", ["", "1", "10", "0"], True),
    Kind("oid", ["0", "1", "4294967295"], True),
    Kind("pg_lsn", ["0/0", "FFFFFFFF/FFFFFFFF", "1/A"], True),
    Kind("int4range", ["empty", "[1,5)", "[,)", "(,3]"], True),
    Kind("tstzrange", ["empty", "[2026-01-01 00:00+00,infinity)", "[,2026-01-01 00:00+00)"], True),
    Kind("int4multirange", ["{}", "{[1,2],[5,6]}"], True),
    Kind("jsonb", ["null", "1", "{}", '{"a": [1, null]}', '"x"'], True),
    Kind('odd."En um"', ["", "a b", "it''s", 'q"', "back\\slash", "ü,{}"], True),
    Kind("odd.pair", ['(1,"a b")', '(2,"")', '(3,",()")', "(1,)", "(,)"], True),
    Kind("odd.numbers", ["{1,2}", "{}", "{NULL}", "{{1},{2}}"], True, array=True),
    Kind("odd.small", ["1", "2", "3", "99"], True),
    Kind("odd.smaller", ["1", "2", "3"], True),
    Kind("odd.word", ["a", "", "x y"], True),
    Kind("odd.caseless", ["a", "A", "b", "B"], True, True),
]

PLAIN = [
    Kind("text", TEXTS), Kind("text COLLATE \"C\"", TEXTS), Kind("varchar(400)", TEXTS), Kind("json", ['{"a":1,"a":2}', " [1 ] ", "null"]),
    Kind("jsonb", ['{"b": {"c": [1, 2, {"d": null}]}, "a": 1e400}', '"\\u0001"', "[]", "1.10", '{"": ""}']),
    Kind("numeric", ["NaN", "Infinity", "-Infinity", "0." + "0" * 60 + "1", "9" * 60, "1.500000000", "-0"]),
    Kind("int[]", ["{}", "{1,NULL,3}", "{{1,2},{3,4}}", "[5:6]={1,2}"], array=True),
    Kind("text[]", ["{}", '{"",NULL,"NULL","a,b","\\"q\\"","\\\\","{}"," "}', "{ü,日本}"], array=True),
    Kind("jsonb[]", ['{"{\\"a\\": 1}",null}', "{}"], array=True),
    Kind("odd.pair", ["(,)", "(1,)", '(,"")', '(7,"x,(y)\\"z")']),
    Kind("odd.pair[]", ['{"(1,a)",NULL,"(,\\"\\")"}', "{}"], array=True),
    Kind("odd.pairs", ['{"(1,a)","(2,\\"b c\\")"}', "{}"], array=True),
    Kind("odd.deep", ['("{""(1,a)""}","{""k"": [1]}",infinity)', "(,,)"]),
    Kind('odd."En um"[]', ['{"a b",""}'], array=True),
    Kind("int8range", ["empty", "[1,9223372036854775806)"]), Kind("tsmultirange", ["{}", "{[2026-01-01,2026-01-02),[2027-01-01,)}"]),
    Kind("odd.floats", ["[0,1.5]", "empty", "(-Infinity,NaN]"]),
    Kind("xml", ["<a b=\"c\">&amp;</a>", "text", "<?xml version=\"1.0\"?><a/>"]), Kind("tsvector", ["'a':1A,2 'b c' 'it''s'", ""]),
    Kind("tsquery", ["'a' & !'b' <2> 'c'", ""]), Kind("point", ["(1,2)", "(Infinity,NaN)"]), Kind("polygon", ["((0,0),(1,1),(1,0))"]),
    Kind("circle", ["<(0,0),1>"]), Kind("box", ["(1,1),(0,0)"]), Kind("path", ["[(0,0),(1,1)]"]), Kind("line", ["{1,-1,0}"]),
    Kind("bytea", ["\\x", "\\x00ff80", "\\x" + "ab" * 50]), Kind("interval", ["-1 mon +2 days -00:00:01.5", "178000000 years", "0"]),
    Kind("timestamptz", ["infinity", "-infinity", "4713-11-24 00:00:00+00 BC", "294276-12-31 23:59:59.999999+00", "2026-03-29 01:59:59+00"]),
    Kind("date", ["5874897-12-31", "4713-11-24 BC", "infinity"]), Kind("bit varying(9)", ["", "101"]), Kind("money", ["-92233720368547758.08", "0.01"]),
    Kind("macaddr8", ["08:00:2b:01:02:03:04:05"]), Kind("float8", ["-0", "NaN", "1.7976931348623157e308", "0.1", "5e-324"]),
    Kind("float4", ["0.1", "16777216", "-Infinity"]), Kind("boolean", ["t", "f"]), Kind("inet", ["::ffff:1.2.3.4", "1.2.3.4/24"]),
    Kind("pg_snapshot", ["10:20:10,14"]), Kind("regclass", ["pg_class"]), Kind("jsonpath", ['$."a"[*] ? (@ > 1)']), Kind("xid8", ["18446744073709551615"]),
]
HSTORE = Kind("hstore", ['"a"=>"1", "b"=>NULL', '""=>"x\\"y"', ""])

# The round's own types; they live in a schema that is not on the search_path.
TYPES = """CREATE SCHEMA odd;
CREATE TYPE odd."En um" AS ENUM ('', 'a b', 'it''s', 'it''''s', 'q"', E'back\\\\slash', 'ü,{}');
CREATE TYPE odd.pair AS (n int, "t x" text);
CREATE DOMAIN odd.small AS int CHECK (value < 100);
CREATE DOMAIN odd.smaller AS odd.small;
CREATE DOMAIN odd.word AS varchar(9) DEFAULT 'a';
CREATE DOMAIN odd.numbers AS int[];
CREATE DOMAIN odd.pairs AS odd.pair[];
CREATE TYPE odd.deep AS (p odd.pairs, j jsonb, at timestamptz);
CREATE TYPE odd.floats AS RANGE (subtype = float8);
CREATE COLLATION odd.any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE DOMAIN odd.caseless AS text COLLATE odd.any_case"""

# Of the whole database, hence of the workers, too.
SETTINGS = ["array_nulls = off", "quote_all_identifiers = on", "transform_null_equals = on", "default_transaction_isolation = serializable",
            "default_transaction_deferrable = on", "enable_seqscan = off", "force_parallel_mode = on", "xmloption = document",
            "client_min_messages = debug1", "standard_conforming_strings = off", "DateStyle = 'Postgres, DMY'",
            "IntervalStyle = iso_8601", "bytea_output = escape", "extra_float_digits = -10", "xmlbinary = hex", "plan_cache_mode = force_custom_plan",
            "work_mem = 64", "cursor_tuple_fraction = 1", "check_function_bodies = off", "plpgsql.variable_conflict = use_column",
            "plpgsql.extra_errors = 'all'", "row_security = off", "search_path = 'odd', 'public'"]

# Of expire_at: (type, values); now() is the moment of the statement.
FAR = ["now() + interval '30 days'", "now() + interval '5 years 3.25 seconds'", "timestamptz '9999-12-31 23:59:59.999999+00'"]
PAST = ["now() - interval '40 days'", "timestamptz '0044-03-15 00:00:00+00 BC'", "timestamptz '1969-07-20 20:17:40.5+00'"]
EDGE = ["'infinity'", "'-infinity'", "NULL"]
DATES = ["timestamptz", "timestamptz", "timestamptz(0)", "timestamp", "date"]
