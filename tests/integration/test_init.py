"""pgusher init: what it writes passes check, fills Redis, and follows every table that is involved."""
import json
import os
import re
import subprocess

import pytest

from harness.postgres import program
from harness.processes import clean_environment, run
from harness.programs import ROOT, path, run_program

# Composite keys, references to oneself and twice to another table, names that need quotes, odd types.
ODD = """
    CREATE SCHEMA "Büro";
    CREATE TYPE mood AS ENUM ('glad', 'so "so"');
    CREATE DOMAIN code AS text CHECK (value <> '');
    CREATE TABLE site (code code PRIMARY KEY, title varchar(40), opened date, secret_token text, logo bytea);
    CREATE TABLE shelf (site code REFERENCES site, no int, label text, mood mood, UNIQUE (label), PRIMARY KEY (site, no));
    CREATE TABLE "Büro"."Order" (id uuid PRIMARY KEY, "from" code NOT NULL REFERENCES site, "to" code REFERENCES site ON DELETE SET NULL,
        site code, no int, "user" text, _note text, parts int[], doubled int GENERATED ALWAYS AS (no * 2) STORED, valid_until timestamptz,
        FOREIGN KEY (site, no) REFERENCES shelf ON DELETE SET NULL);
    CREATE TABLE node (id int PRIMARY KEY, parent_id int REFERENCES node ON DELETE SET NULL, name text NOT NULL);
    CREATE TABLE edge (shelf_label text REFERENCES shelf (label) ON UPDATE CASCADE ON DELETE CASCADE, node bigint);
    CREATE INDEX ON "Büro"."Order" ("from"); CREATE INDEX ON "Büro"."Order" ("to"); CREATE INDEX ON "Büro"."Order" (no, site);
    CREATE INDEX ON node (parent_id);
    CREATE TABLE part (region text, id int, name text, node_id int REFERENCES node ON DELETE CASCADE, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
    CREATE TABLE part_n PARTITION OF part FOR VALUES IN ('n'); CREATE TABLE part_s PARTITION OF part DEFAULT;
    CREATE TABLE site_card (x int);
    INSERT INTO site SELECT 's' || n, 'Site "' || n || '"', '2030-01-01' FROM generate_series(1, 3) n;
    INSERT INTO shelf SELECT 's' || n % 3 + 1, n, 'label ' || n, 'so "so"' FROM generate_series(1, 6) n;
    INSERT INTO "Büro"."Order" (id, "from", "to", site, no, "user", _note, parts, valid_until) SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, 's1', 's2', 's' || n % 3 + 1, n, 'u', 'n', '{1,2}',
        now() + interval '1 year' FROM generate_series(1, 6) n;
    INSERT INTO node SELECT n, nullif(n / 2, 0), 'node ' || n FROM generate_series(1, 9) n;
    INSERT INTO edge SELECT 'label ' || n % 6 + 1, n FROM generate_series(1, 20) n;
    INSERT INTO part SELECT CASE n % 2 WHEN 0 THEN 'n' ELSE 's' END, n, 'part', n FROM generate_series(1, 9) n"""


def run_sql(box, script):
    done = box.db.psql(script)
    assert done.returncode == 0, script + done.stderr.decode()


def begin(box, *tables):
    """Writes both files and runs views.sql as it is."""
    result = box.pgusher("init", "--postgres", box.db.conninfo(), "--redis", box.redis.url, *tables).must(0, "check", "install")
    with open(os.path.join(box.folder, "views.sql")) as file:
        views = file.read()
    run_sql(box, views)
    with open(box.path) as file:
        box.config = {"fleet": "default", **json.load(file)}
    return result, views


def follow(box):
    """The files as they are, installed and backfilled; afterwards check has nothing to say."""
    box.install()
    assert "warning" not in box.pgusher("check").must(0).text
    box.pgusher("backfill").must(0)
    box.start()
    box.until_asleep()
    box.in_step()


def each(box, *changes):
    for change in changes:
        box.db.sql(change)
        box.in_step()


def test_ticket_marketplace(box):
    """The example's own tables."""
    with open(os.path.join(ROOT, "examples", "ticketing", "schema.sql")) as file:
        run_sql(box, file.read())
    box.db.sql("""INSERT INTO category VALUES (1, 'Jazz'), (2, 'Opera');
                  INSERT INTO venue SELECT n, 'venue ' || n, 'city', 'AR', 'UTC', 'ARS' FROM generate_series(1, 3) n;
                  INSERT INTO event (id, venue_id, category_id, name, starts_at)
                  SELECT n, n % 3 + 1, n % 2 + 1, 'event ' || n, now() + interval '90 days' FROM generate_series(1, 9) n;
                  INSERT INTO listing (id, event_id, seller) SELECT n, n, 'Zoë' FROM generate_series(1, 9) n;
                  INSERT INTO ticket (id, event_id, listing_id, section, price) SELECT n, n % 9 + 1, nullif(n % 9, 0), 'A', n
                  FROM generate_series(1, 27) n""")
    result, views = begin(box, "event", "ticket", "venue")
    assert all(word in views for word in ("venue_city", "category_name", "ticket_count", "listing_count"))
    result.must(0, "starts_at", "CREATE INDEX ON public.event (starts_at)")
    assert box.config["projections"]["event"]["watch"] == {
        "event": "id", "listing": "event_id", "ticket": "event_id",
        "category": {"column": "id", "lookup": "SELECT id FROM event WHERE category_id = ANY($1)"},
        "venue": {"column": "id", "lookup": "SELECT id FROM event WHERE venue_id = ANY($1)"}}
    follow(box)
    assert box.has("event:1", venue_name="venue 2", ticket_count="3", listing_count="1")
    each(box, "UPDATE venue SET city = 'Salta' WHERE id = 2", "UPDATE ticket SET event_id = 2 WHERE id < 9",
         "UPDATE event SET venue_id = 3, category_id = 2", "DELETE FROM ticket WHERE id > 20", "DELETE FROM listing WHERE id > 24",
         "INSERT INTO ticket (id, event_id, section, price) VALUES (100, 1, 'B', 5)", "UPDATE category SET name = 'Tango' WHERE id = 1",
         "UPDATE event SET starts_at = now() - interval '3 days' WHERE id = 1", "UPDATE ticket SET listing_id = NULL")
    assert not box.hash("event:1") and box.has("venue:3", event_count="9")


def test_pgbench(box):
    done = run([program("pgbench"), "-i", "-q", "--foreign-keys", box.db.conninfo()])
    assert done.returncode == 0, done.stderr
    box.db.sql("DELETE FROM pgbench_accounts WHERE aid > 300; INSERT INTO pgbench_history SELECT 1, 1, n, 7 FROM generate_series(1, 9) n")
    refused = box.pgusher("init", "--postgres", box.db.conninfo(), "pgbench_accounts", "pgbench_history").must(1, "pgbench_history", "primary key")
    assert "wrote" not in refused.text and not os.path.exists(box.path)
    result, views = begin(box, "pgbench_accounts", "pgbench_branches", "pgbench_tellers")
    result.must(0, "CREATE INDEX ON public.pgbench_history (aid)", "CREATE INDEX ON public.pgbench_accounts (bid)")
    box.db.sql("\n".join(re.findall(r"(?m)^--\s+(CREATE INDEX .*;)$", views)))
    follow(box)
    assert box.has("pgbench_branches:1", pgbench_accounts_count="300", pgbench_history_count="9", pgbench_tellers_count="10")
    each(box, "UPDATE pgbench_accounts SET abalance = 5 WHERE aid = 3", "UPDATE pgbench_branches SET filler = 'x'",
         "DELETE FROM pgbench_history WHERE aid = 3", "INSERT INTO pgbench_accounts VALUES (900, 1, 0, 'new')",
         "TRUNCATE pgbench_history")


def test_odd_schema(box):
    run_sql(box, ODD)
    result, views = begin(box, "site", "shelf", "Büro.Order", "node", "part")
    result.must(0, "secret_token", "_note", "CREATE INDEX ON public.part (node_id)", "CREATE INDEX ON public.edge (shelf_label)")
    assert "public.site_card_2" in views and '"Büro"."Order_card"' in views and "secret_token," not in views
    follow(box)
    assert box.has("node:2", parent_name="node 1", node_count="2") and box.has("site:s1", Order_from_count="6", shelf_count="2")
    assert box.has("Order:00000000-0000-0000-0000-000000000001", from_title='Site "1"', to_title='Site "2"', shelf_label="label 1")
    each(box, "UPDATE site SET title = 'new' WHERE code = 's2'", "UPDATE node SET parent_id = 1 WHERE id = 6", "DELETE FROM node WHERE id = 9",
         "UPDATE node SET parent_id = NULL WHERE id = 2", "INSERT INTO node VALUES (20, 6, 'a leaf')", "UPDATE node SET name = 'root' WHERE id = 1",
         "DELETE FROM node WHERE id = 5", """UPDATE "Büro"."Order" SET "to" = NULL WHERE no = 3""",
         """UPDATE "Büro"."Order" SET "to" = 's3', "from" = 's2' WHERE no < 3""", """UPDATE "Büro"."Order" SET site = NULL WHERE no = 4""",
         "UPDATE shelf SET label = 'other' WHERE no = 2", "UPDATE edge SET shelf_label = 'label 3'", "DELETE FROM edge WHERE node > 10",
         "UPDATE part SET region = 'n' WHERE id = 3; UPDATE part SET node_id = 4", """DELETE FROM "Büro"."Order" WHERE no = 1""",
         """UPDATE shelf SET mood = 'glad'; DELETE FROM shelf WHERE no = 6""", "UPDATE site SET opened = NULL")


def test_names_that_are_too_long_or_taken(box):
    """Prefixed names are cut at 63 bytes, between characters, and stay different from each other."""
    long = "ü" * 31
    box.db.sql(f'''CREATE TABLE "{long}" (id int PRIMARY KEY, "{long}" text, "{long[1:]}" text, "{long[2:]}x" text);
                   CREATE TABLE child (id int PRIMARY KEY, "{long}" int REFERENCES "{long}", "{long[1:]}_id" int REFERENCES "{long}");
                   INSERT INTO "{long}" VALUES (1, 'a', 'b', 'c'); INSERT INTO child VALUES (1, 1, 1)''')
    begin(box, long, "child")
    follow(box)
    assert sorted(box.hash("child:1").values()) == ["1", "1", "1", "a", "a", "b", "b", "c", "c"]
    each(box, f'UPDATE "{long}" SET "{long}" = \'z\'')


HOSTILE = r"""
    CREATE SCHEMA s; CREATE SCHEMA "o'ther";
    CREATE TABLE "select" (id int PRIMARY KEY, "order" text, "back\slash" text, "it's" text, "100% {x}" text, "a:b" text);
    CREATE TABLE s."select" (id int PRIMARY KEY, name text, "where_id" int REFERENCES public."select", best int);
    CREATE TABLE "o'ther"."new
DROP TABLE measured CASCADE; --" (id bigint PRIMARY KEY, "user_id" int REFERENCES s."select", name text);
    ALTER TABLE s."select" ADD FOREIGN KEY (best) REFERENCES "o'ther"."new
DROP TABLE measured CASCADE; --" ON DELETE SET NULL;
    CREATE TABLE measured (region int, day date, PRIMARY KEY (region, day)) PARTITION BY LIST (region);
    CREATE TABLE measured_1 PARTITION OF measured DEFAULT;
    CREATE TABLE "pgusher" (region int, day date, text text, id numeric(6,2) PRIMARY KEY, FOREIGN KEY (region, day) REFERENCES measured);
    CREATE TABLE whole_number (id int PRIMARY KEY, price int REFERENCES "pgusher", t text);
    INSERT INTO "select" SELECT n, 'o', 'b', 'i', 'p', 'a' FROM generate_series(1, 3) n;
    INSERT INTO s."select" SELECT n, 'name', n % 3 + 1 FROM generate_series(1, 5) n;
    INSERT INTO "o'ther"."new
DROP TABLE measured CASCADE; --" SELECT n, n, 'new' FROM generate_series(1, 5) n;
    UPDATE s."select" SET best = id; INSERT INTO measured VALUES (1, '2020-02-03'), (2, '2020-02-03');
    INSERT INTO "pgusher" VALUES (1, '2020-02-03', 't', 1), (2, '2020-02-03', 't', 2.5), (NULL, '2020-02-03', 't', 3);
    INSERT INTO whole_number VALUES (1, 1, 'x'), (2, 3, 'y')"""


def test_hostile_names_and_circles(box):
    """Words of SQL, quotes, a line end in a name; the same name in two schemas; tables that point to each other."""
    run_sql(box, HOSTILE)
    other = 'o\'ther.new\nDROP TABLE measured CASCADE; --'
    begin(box, "select", "s.select", other, "measured", "pgusher", "whole_number")
    assert sorted(box.projections) == ["measured", other[7:], "public_pgusher", "s_select", "select", "whole_number"]
    follow(box)
    table = '"o\'ther"."' + other[7:] + '"'
    each(box, 'UPDATE "select" SET "order" = \'x\'', 'UPDATE s."select" SET best = 1', 'UPDATE s."select" SET name = \'y\', best = NULL',
         f"UPDATE {table} SET user_id = 2, name = 'z'", f"DELETE FROM {table} WHERE id = 5", 'UPDATE s."select" SET where_id = 1 WHERE id < 4',
         "UPDATE pgusher SET region = NULL WHERE id = 1", "UPDATE pgusher SET region = 2 WHERE id = 3", "UPDATE pgusher SET day = NULL WHERE id = 2.5",
         "UPDATE whole_number SET price = 3", "UPDATE pgusher SET text = 'u'", "DELETE FROM whole_number")


def test_ids_that_are_no_primary_key(box):
    box.db.sql("""CREATE TABLE a (n int NOT NULL, t text NOT NULL, UNIQUE (n, t)); CREATE TABLE heir () INHERITS (a);
                  INSERT INTO a VALUES (1, 'x'); INSERT INTO heir VALUES (1, 'x')""")
    result, views = begin(box, "a")
    result.must(0, "no primary key", "inherit")
    assert "ONLY public.a" in views
    follow(box)
    assert box.hash("a:1:x")


def test_keys_of_a_fixed_length(box):
    """A type without its length is one of a single character, or of a single bit."""
    run_sql(box, """
        CREATE DOMAIN iata AS char(3); CREATE TABLE airport (code iata PRIMARY KEY, city text);
        CREATE TABLE flag (bits bit(4) PRIMARY KEY, name text);
        CREATE TABLE flight (id int PRIMARY KEY, origin char(3) NOT NULL REFERENCES airport, destination char(3) NOT NULL REFERENCES airport,
            one bit(4) NOT NULL REFERENCES flag, other bit(4) NOT NULL REFERENCES flag);
        CREATE INDEX ON flight (origin); CREATE INDEX ON flight (destination); CREATE INDEX ON flight (one); CREATE INDEX ON flight (other);
        INSERT INTO airport VALUES ('LIS', 'Lisboa'), ('OPO', 'Porto'); INSERT INTO flag VALUES ('0101', 'five'), ('0110', 'six');
        INSERT INTO flight VALUES (1, 'LIS', 'OPO', '0101', '0110')""")
    begin(box, "flight")
    follow(box)
    each(box, "UPDATE airport SET city = 'Lisbon' WHERE code = 'LIS'", "UPDATE airport SET city = 'Oporto' WHERE code = 'OPO'",
         "UPDATE flag SET name = 'another'")


def test_a_foreign_key_with_a_period(box):
    """The range here lies within one there: joined by equality, the view would show nothing of it."""
    if box.db.value("SELECT current_setting('server_version_num')::int < 180000"):
        pytest.skip("PostgreSQL 18 has them")
    box.db.sql("""CREATE TABLE tariff (rooms int4range, valid daterange, price int, PRIMARY KEY (rooms, valid WITHOUT OVERLAPS));
                  CREATE TABLE hotel (id int PRIMARY KEY, name text);
                  CREATE TABLE stay (id int PRIMARY KEY, hotel_id int REFERENCES hotel, rooms int4range, during daterange,
                      FOREIGN KEY (rooms, PERIOD during) REFERENCES tariff (rooms, PERIOD valid));
                  CREATE INDEX ON stay (hotel_id);
                  INSERT INTO tariff VALUES ('[1,5)', '[2030-01-01,2031-01-01)', 90); INSERT INTO hotel VALUES (1, 'Ritz');
                  INSERT INTO stay VALUES (1, 1, '[1,5)', '[2030-02-01,2030-02-03)')""")
    _, views = begin(box, "stay")
    assert set(box.config["projections"]["stay"]["watch"]) == {"stay", "hotel"} and "tariff" not in views
    follow(box)
    assert box.has("stay:1", hotel_name="Ritz")


def test_what_may_not_be_read_is_left_out(box):
    role = f"guest_{box.db.name}"
    box.db.sql(f"""CREATE ROLE {role} LOGIN; CREATE TABLE hidden (id int PRIMARY KEY, name text);
                   CREATE TABLE seen (id int PRIMARY KEY, hidden_id int REFERENCES hidden, pay int, name text);
                   GRANT SELECT (id, hidden_id, name) ON seen TO {role}""")
    conninfo = box.db.conninfo(role)
    box.pgusher("init", "--postgres", conninfo, "hidden").must(1, "hidden", "GRANT SELECT")
    shown = box.pgusher("init", "--postgres", conninfo, "--print", "seen").must(0, "views.sql", "hidden is left out", "column pay is left out")
    assert "JOIN" not in shown.out and not os.path.exists(box.path)


def test_nothing_is_overwritten(box):
    box.db.sql("CREATE TABLE a (id int PRIMARY KEY)")
    arguments = ["init", "--postgres", box.db.conninfo(), "a"]
    for name in ("pgusher.json", "views.sql"):
        mine = os.path.join(box.folder, name)
        with open(mine, "w") as file:
            file.write("mine")
        box.pgusher(*arguments).must(1, mine, "not overwritten")
        with open(mine) as file:
            assert os.listdir(box.folder) == [name] and file.read() == "mine"
        os.remove(mine)


def test_as_json(box):
    box.db.sql("CREATE TABLE a (id int PRIMARY KEY, ends_at date)")
    shown = json.loads(box.pgusher("init", "--json", "--postgres", box.db.conninfo(), "a").must(0).out)
    assert shown["config"]["projections"]["a"]["expire_at"] == "ends_at" and "CREATE VIEW" in shown["views"]
    assert any("UTC" in line for line in shown["notes"]["a"]) and not os.listdir(box.folder)


@pytest.mark.parametrize("arguments, code, words", [
    (["evnt"], 1, ['no table "evnt"', 'did you mean "event"']),
    (["event_view"], 1, ["event_view", "not a table"]),
    (["part_1"], 1, ["part_1", "partition", "part"]),
    (["pg_class"], 1, ["pg_class", "system"]),
    ([], 64, ["which tables"]),
    (["--redis", "http://x", "event"], 64, ["--redis", "is no Redis address"]),
    (["--postgres", "host=/nonexistent", "event"], 69, ["--postgres", "/nonexistent"]),
    (["--dry-run", "event"], 64, ["--dry-run"]),
    (["--help"], 0, ["usage: pgusher init", "example"]),
])
def test_arguments(box, arguments, code, words):
    box.db.sql("""CREATE TABLE event (id int PRIMARY KEY); CREATE VIEW event_view AS SELECT * FROM event;
                  CREATE TABLE part (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1)""")
    server = [] if "--postgres" in arguments else ["--postgres", box.db.conninfo()]
    box.pgusher("init", *server, *arguments).must(code, *words)
    assert not os.listdir(box.folder)


def test_server_of_the_environment(box):
    """As psql does; what it was is written down, for the daemons have another environment."""
    box.db.sql("CREATE TABLE a (id int PRIMARY KEY)")
    where = {"PGHOST": box.db.cluster.folder, "PGDATABASE": box.db.name, "PGUSER": "postgres"}
    shown = subprocess.run([path("pgusher"), "init", "--json", "a"], env={**clean_environment(), **where}, stdout=subprocess.PIPE, check=True)
    assert json.loads(shown.stdout)["config"]["postgres"] == f"host='{box.db.cluster.folder}' dbname='{box.db.name}' user='postgres'"


def test_where_nothing_can_be_written(tickets):
    done = run_program("pgusher", "-c", "/nonexistent/pgusher.json", "init", "--postgres", tickets.db.conninfo(), "--redis",
                       tickets.redis.url, "event")
    done.must((1, 73, 74, 78), "/nonexistent/", "cannot be written", "No such file")


def test_the_database_of_the_environment(tickets):
    """A conninfo is needed in the file, even if libpq needs none."""
    done = run(["/usr/bin/env", f"PGHOST={tickets.db.cluster.folder}", "PGUSER=postgres", f"PGDATABASE={tickets.db.name}", path("pgusher"),
                "init", "--print", "--postgres", "", "--redis", tickets.redis.url, "event"])
    assert done.returncode == 0 and f"dbname='{tickets.db.name}'".encode() in done.stdout, done


def test_more_columns_than_a_watch_can_have(box):
    one, other = ([f"{letter}{number}" for number in range(5)] for letter in "ab")
    columns = ", ".join(f"{name} int" for name in one + other)
    box.db.sql(f"""CREATE TABLE parent ({columns}, name text, PRIMARY KEY ({", ".join(one)}), UNIQUE ({", ".join(other)}));
                   CREATE TABLE child (id int PRIMARY KEY, {columns}, FOREIGN KEY ({", ".join(one)}) REFERENCES parent,
                       FOREIGN KEY ({", ".join(other)}) REFERENCES parent ({", ".join(other)}))""")
    result = box.pgusher("init", "--print", "--postgres", box.db.conninfo(), "--redis", box.redis.url, "child").must(0)
    assert "a foreign key with parent is left out: one watch has at most 8 columns" in result.text
