"""What pgusher check finds: each thing once good, once bad, and the mend that it names helps."""
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import ticketing
from harness.box import projection
from harness.ports import free_ports


def problems(box, code=0, *arguments):
    """Lines "level place: text"."""
    found = json.loads(box.pgusher("check", "--json", *arguments).must(code).out)
    assert found["config"] == box.path and found["ok"] == (code == 0)
    return [f"{problem['level']} {problem['place']}: {problem['text']}" for problem in found["problems"]]


def about(lines, *words):
    """The one line that holds all the words."""
    found = [line for line in lines if all(word in line for word in words)]
    assert len(found) == 1, f"{words} in {len(found)} of:\n" + "\n".join(lines)
    return found[0]


def none(lines, *words):
    found = [line for line in lines if any(word in line for word in words)]
    assert not found, found


@pytest.fixture
def kept(tickets):
    """The marketplace, and a Redis that does not forget its queues."""
    tickets.redis.client.config_set("save", "60 1")
    return tickets


def quiet(box):
    lines = problems(box)
    assert not lines, lines


# ---- what a view reads ----

READS = """
    CREATE TABLE base (id int PRIMARY KEY, a int); CREATE TABLE deep (id int PRIMARY KEY, t text); CREATE TABLE heir () INHERITS (base);
    CREATE VIEW one AS SELECT b.id, d.t FROM ONLY base b JOIN deep d USING (id); CREATE VIEW two AS SELECT * FROM one;
    CREATE VIEW three AS SELECT * FROM two WHERE t <> '';
    CREATE VIEW with_heirs AS SELECT * FROM base;
    CREATE MATERIALIZED VIEW kept AS SELECT * FROM deep; CREATE VIEW stale AS SELECT b.id, k.t FROM ONLY base b JOIN kept k USING (id);
    CREATE FUNCTION looks(int) RETURNS text STABLE LANGUAGE sql AS 'SELECT t FROM deep WHERE id = $1';
    CREATE FUNCTION reckons(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 1';
    CREATE VIEW opaque AS SELECT id, looks(id) FROM ONLY base; CREATE VIEW clear AS SELECT id, reckons(id) FROM ONLY base;
    CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
    CREATE FOREIGN TABLE far (id int, t text) SERVER files OPTIONS (filename '/dev/null');
    CREATE VIEW afar AS SELECT b.id, f.t FROM ONLY base b LEFT JOIN far f USING (id);
    CREATE TABLE whole (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE slice PARTITION OF whole FOR VALUES IN (1);
    CREATE VIEW of_slice AS SELECT * FROM slice; CREATE VIEW of_whole AS SELECT * FROM whole"""


def test_what_a_view_reads_and_nobody_watches(box):
    box.db.sql(READS)
    watched = {"one": "base", "three": "base", "with_heirs": "base", "stale": "base", "opaque": "base", "clear": "base", "afar": "base",
               "base": "base", "of_whole": "slice"}
    box.use({view: projection(view, {table: "id"}) for view, table in watched.items()})
    box.install()
    lines = problems(box)
    assert "warning projections.one.watch: " in about(lines, "projections.one.", "public.deep", "no watch covers")
    about(lines, "projections.three.", "public.deep", "no watch covers")
    about(lines, "projections.with_heirs.", "table public.base", "(public.heir)", "FROM ONLY")
    about(lines, "projections.base.", "table public.base", "(public.heir)")
    about(lines, "projections.stale.", "public.kept", "materialized view", "REFRESH", "pgusher backfill")
    about(lines, "projections.afar.", "public.far", "foreign table", "backfill")
    about(lines, "projections.opaque.", "looks(integer)", "IMMUTABLE")
    about(lines, "projections.of_whole.", "public.whole", "no watch covers")
    assert len(lines) == 8, lines
    box.use({"one": projection("three", {"base": "id", "deep": "id"}), "slice": projection("of_slice", {"whole": "id"})})
    box.install()
    quiet(box)
    box.projections["whole"] = projection("of_whole", {"slice": "id"})
    box.use(box.projections)
    about(problems(box, 78), "table public.slice is watched, and public.whole", "only the whole")


# ---- plans ----

def test_indexes_that_are_missing(box):
    """Each missing index is told once, and creating what is told leaves nothing to say."""
    box.db.sql("""CREATE TABLE "Big" (id int, "Ref" int, ends_at timestamptz DEFAULT now() + interval '9 days');
                  CREATE TABLE part (big int, n int);
                  CREATE VIEW big AS SELECT b.*, (SELECT count(*) FROM part p WHERE p.big = b.id) FROM "Big" b;
                  INSERT INTO "Big" SELECT n, n FROM generate_series(1, 20000) n; INSERT INTO part SELECT n, n FROM generate_series(1, 20000) n;
                  CREATE TABLE other (id int PRIMARY KEY); ANALYZE""")
    lookup = {"column": "id", "lookup": 'SELECT id FROM "Big" WHERE "Ref" = ANY($1)'}
    box.use({"big": projection("big", {"Big": "id", "part": "big", "other": lookup}, expire_at="ends_at")})
    box.install()
    lines = problems(box)
    none(lines, "no watch covers")
    about(lines, "projections.big.source:", "by id", "about 20000 rows", 'CREATE INDEX ON public."Big" (id);')
    about(lines, "CREATE INDEX ON public.part (big);")
    about(lines, "projections.big.id:", "order of id", 'public."Big"')
    about(lines, "projections.big.expire_at:", "date has passed", 'CREATE INDEX ON public."Big" (ends_at);')
    about(lines, "projections.big.watch.other.lookup:", 'CREATE INDEX ON public."Big" ("Ref");')
    assert len(lines) == 5, lines
    box.db.sql("".join(re.search("CREATE INDEX .*;", line)[0] for line in lines if "CREATE INDEX" in line) + "ANALYZE")
    quiet(box)


# ---- capture ----

def test_capture_that_does_not_stand_or_fire(kept):
    limits = {"look_back": "1 h", "max_lag": {"rows": 200000, "age": "2 days"}}
    about(problems(kept), "warning : ", "does not capture changes yet", "pgusher install")
    kept.install()
    quiet(kept)
    kept.use(ticketing.event_only(), fleet="defualt")
    about(problems(kept), "fleet defualt is not installed", 'did you mean "default"', "pgusher install")
    kept.use(ticketing.projections(), **limits)
    about(problems(kept), "look_back or max_lag", "pgusher install")
    kept.install()
    quiet(kept)
    kept.db.sql("DROP TRIGGER pgusher_update ON venue")
    about(problems(kept), "triggers and functions do not stand", "1 to change", "pgusher install")
    kept.install()
    kept.db.sql("ALTER TABLE ticket DISABLE TRIGGER pgusher_change; ALTER TABLE venue ENABLE REPLICA TRIGGER pgusher_update")
    lines = problems(kept)
    none(lines, "on event")
    for line in about(lines, "pgusher_change on public.ticket is disabled"), about(lines, "pgusher_update on public.venue is disabled"):
        kept.db.sql(re.search("ALTER TABLE .* TRIGGER pgusher_[a-z]*;", line)[0])
    for value in ("replica", "'Replica'"):
        kept.db.sql(f'ALTER DATABASE "{kept.db.name}" SET session_replication_role = {value}')
        about(problems(kept), "session_replication_role = replica", "all roles")
    kept.db.sql(f'ALTER DATABASE "{kept.db.name}" RESET session_replication_role')
    kept.db.sql("CREATE PUBLICATION told FOR TABLE event")
    kept.db.sql(f"""CREATE SUBSCRIPTION heard CONNECTION '{kept.db.conninfo()}' PUBLICATION told
                    WITH (create_slot = false, slot_name = NONE, enabled = false, copy_data = false)""")
    about(problems(kept), "logical replication writes into public.event", "not captured")
    kept.db.sql("DROP SUBSCRIPTION heard")
    quiet(kept)


def test_limits_with_a_part_of_a_second(kept):
    limits = {"look_back": "1500 ms", "max_lag": {"age": "90500 ms"}}
    kept.use(ticketing.projections(), **limits)
    kept.install()
    quiet(kept)
    kept.use(ticketing.projections(), **{**limits, "look_back": "1501 ms"})
    about(problems(kept), "look_back or max_lag is another one", "pgusher install")


def test_rights_of_the_role(kept):
    """Following the messages one after the other ends in a good check, and names what only an install needs."""
    role = f"worker_{kept.db.name}"
    kept.db.sql(f"CREATE ROLE {role} LOGIN; GRANT SELECT ON event_card, ticket_card, event, ticket TO {role}")
    kept.use(ticketing.projections(), postgres=kept.db.conninfo(role))
    about(problems(kept), "does not capture changes yet", f"role {role} would need", "CREATE on the database", "to own public.")
    kept.use(ticketing.projections())
    kept.install()
    kept.db.sql("DROP TRIGGER pgusher_update ON venue")
    kept.use(ticketing.projections(), postgres=kept.db.conninfo(role))
    for verb in (["status"], ["verify"], ["quarantine", "list"]):
        kept.pgusher(*verb).must(78, "permission denied for schema pgusher", "pgusher check names the GRANT")
    for line in problems(kept, 78):
        assert "error postgres: " in line and "USAGE" in line
        kept.db.sql(re.search("GRANT .*;", line)[0])
    lines = problems(kept, 78)
    about(lines, "SELECT ON ALL TABLES")
    about(lines, "UPDATE ON pgusher.fleet, pgusher.cursor")
    for line in lines:
        kept.db.sql(re.search("GRANT .*;", line)[0])
    about(problems(kept), "triggers and functions do not stand", f"role {role} would need", "owns the schema pgusher")
    kept.db.sql("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA pgusher FROM public")
    about(problems(kept, 78), f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pgusher TO {role}")


def test_a_source_that_may_not_be_read_is_told_once(kept):
    role = f"blind_{kept.db.name}"
    kept.db.sql(f"""CREATE ROLE {role} LOGIN; CREATE VIEW mine AS SELECT * FROM event; ALTER VIEW mine OWNER TO {role};
                       GRANT CREATE ON SCHEMA public TO {role}""")
    kept.use({"event": projection("mine", {"event": "id"})}, postgres=kept.db.conninfo(role))
    about(problems(kept, 78), "projections.event", "permission denied", "event")


# ---- the servers ----

def test_too_many_partitions_for_the_locks(box, own_cluster):
    own_cluster.settings.update(max_connections=10, max_locks_per_transaction=10)
    own_cluster.start()
    box.db = own_cluster.create(name="many")
    box.db.sql("""CREATE TABLE whole (id int PRIMARY KEY) PARTITION BY LIST (id);
                  DO $$ BEGIN FOR n IN 1 .. 20 LOOP EXECUTE format('CREATE TABLE p%1$s PARTITION OF whole FOR VALUES IN (%1$s)', n);
                  END LOOP; END $$""")
    box.use({"whole": projection("whole", {"whole": "id"})})
    about(problems(box), "warning postgres: ", "max_locks_per_transaction")
    box.use({"p1": projection("p1", {"p1": "id"})})
    none(problems(box), "max_locks_per_transaction")
    box.db.disconnect()


def test_redis_that_forgets_or_is_full(tickets):
    client = tickets.redis.client
    tickets.install()
    about(problems(tickets), "warning redis: ", "neither appendonly nor save", "queues")
    client.config_set("save", "60 1")
    quiet(tickets)
    client.config_set("maxmemory", int(client.info()["used_memory"] * 1.05))
    about(problems(tickets), "% of maxmemory are in use")
    client.config_set("maxmemory", "1gb")
    client.config_set("maxmemory-policy", "allkeys-lru")
    about(problems(tickets), "allkeys-lru", "noeviction")
    client.config_set("maxmemory-policy", "noeviction")
    quiet(tickets)


def test_access_list_of_redis(kept):
    """The one that the documentation gives is enough; what is missing is named."""
    client = kept.redis.client
    kept.install()
    with open(os.path.join(os.path.dirname(__file__), "..", "..", "docs", "redis.md")) as file:
        rule = re.search("(?m)^ +ACL SETUSER (pgusher .*)$", file.read())[1]
    client.execute_command("ACL", "SETUSER", *rule.split())
    port = free_ports(1)[0]
    client.config_set("port", port)
    kept.use(ticketing.projections(), redis=f"redis://pgusher:password@127.0.0.1:{port}")
    quiet(kept)
    client.execute_command("ACL", "SETUSER", "pgusher", "-restore", "-time", "resetkeys", "~event:*", "~pgusher:*", "~{search}*")
    line = about(problems(kept, 78), "error redis: ", "docs/redis.md", "RESTORE event:0", "TIME", "HSET ticket:0")
    assert "HSET event:0" not in line
    client.execute_command("ACL", "SETUSER", "pgusher", "-eval")
    about(problems(kept, 78), "error redis: ", "docs/redis.md", "eval")


def test_one_server_down(tickets):
    """The other one is checked all the same."""
    tickets.use(ticketing.projections(), redis="unix:///nonexistent/redis.sock")
    lines = problems(tickets, 69)
    about(lines, "does not capture changes yet")
    about(lines, "error redis: ", "/nonexistent")
    tickets.use(ticketing.projections(), postgres="host=/nonexistent")
    lines = problems(tickets, 69)
    about(lines, "neither appendonly nor save")
    about(lines, "error postgres: ", "/nonexistent")


def test_what_is_wrong_with_one_server_counts_though_the_other_is_down(tickets):
    tickets.redis.client.replicaof("127.0.0.1", "1")
    tickets.use(ticketing.projections(), postgres="host=/nonexistent")
    lines = problems(tickets, 78)
    tickets.redis.client.replicaof("NO", "ONE")
    about(lines, "error redis: ", "replica")
    about(lines, "error postgres: ", "/nonexistent")


def test_settings_without_any_server(tickets):
    tickets.use(ticketing.projections(), postgres="host=/nonexistent", max_lag={"rows": 99999})
    about(problems(tickets, 0, "--offline"), "warning max_lag.rows: ", "99999", "100000")
    tickets.use(ticketing.projections(), postgres="host=/nonexistent", max_lag={"rows": 100000})
    assert not problems(tickets, 0, "--offline")


def test_uniqueness_that_takes_too_long(kept):
    """Ten seconds are enough; here somebody cancels it before."""
    kept.db.sql("DROP VIEW event_card; CREATE VIEW event_card AS SELECT e.*, pg_sleep(30)::text AS _slow FROM event e")
    kept.use(ticketing.event_only())
    waiting = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgusher check' AND query LIKE '%%HAVING count%%'"
    with ThreadPoolExecutor() as threads:
        check = threads.submit(kept.pgusher, "check")
        kept.until(lambda: kept.db.sql(waiting) or check.done(), 20, "it looks for rows of one id")
    check.result().must((0, 1), "could not be checked to be unique within")


def test_uniqueness_where_rows_fail(kept):
    kept.db.sql("CREATE OR REPLACE VIEW event_card AS " + kept.db.value("SELECT pg_get_viewdef('event_card'::regclass)").rstrip(";") +
                " WHERE 1 / (e.id - e.id) = 1")
    kept.use(ticketing.event_only())
    kept.pgusher("check").must((0, 1), "could not be checked to be unique: ", "division by zero")
