"""What a writer may do to capture: nothing. The triggers run as their owner, with whatever settings the writer's session has."""
import pytest

from harness import ticketing
from harness.box import projection

# As good for any arguments as the real ones, or better; each says who ran it. Temporary tables are looked for first of all.
HOSTILE = """
    CREATE SCHEMA evil;
    CREATE TABLE evil.caught (what text, who text);
    CREATE FUNCTION evil.catch(what text) RETURNS void LANGUAGE plpgsql SECURITY INVOKER AS $$
    BEGIN INSERT INTO evil.caught VALUES (what, current_user); END $$;
    DO $do$
    DECLARE
        f record;
    BEGIN
        FOR f IN SELECT * FROM (VALUES
            ('nextval', 'regclass', 'bigint'), ('nextval', 'text', 'bigint'), ('pg_sequence_last_value', 'regclass', 'bigint'),
            ('pg_sequence_last_value', 'text', 'bigint'), ('hash_array', 'text[]', 'integer'), ('hash_array', 'anyarray', 'integer'),
            ('pg_notify', 'text, text', 'void'), ('pg_try_advisory_xact_lock_shared', 'integer, integer', 'boolean'),
            ('record_image_eq', 'tag, tag', 'boolean'), ('record_image_eq', 'record, record', 'boolean'),
            ('record_image_ne', 'record, record', 'boolean'), ('format', 'text, date', 'text'), ('text', 'integer', 'text'),
            ('note_dropped', '', 'void')) f (name, arguments, result)
        LOOP
            EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s LANGUAGE plpgsql AS '
                           '$$ BEGIN PERFORM evil.catch(%L); RETURN %s; END $$', f.name, f.arguments, f.result, f.name,
                           CASE WHEN f.result <> 'void' THEN 'NULL' END);
        END LOOP;
        FOR f IN SELECT o.oprname AS sign, o.oprleft::regtype AS a, o.oprright::regtype AS b, o.oprresult::regtype AS result,
                        row_number() OVER () AS n
                   FROM pg_operator o
                  WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprname IN ('=', '<>', '>=', '<', '>', '>>', '&', '%', '+', '*')
                    AND o.oprleft::regtype::text IN ('integer', 'bigint', 'text', 'numeric', 'boolean', 'anyarray', 'record')
                    AND o.oprright::regtype::text IN ('integer', 'bigint', 'text', 'numeric', 'boolean', 'anyarray', 'record')
                    AND 'record'::regtype NOT IN (o.oprleft, o.oprright)
        LOOP
            EXECUTE format('CREATE FUNCTION evil.op_%s(%s, %s) RETURNS %s LANGUAGE plpgsql AS '
                           '$$ BEGIN PERFORM evil.catch(%L); RETURN NULL; END $$', f.n, f.a, f.b, f.result, f.sign);
            EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = evil.op_%s)', f.sign, f.a, f.b, f.n);
        END LOOP;
    END $do$;
    CREATE DOMAIN evil.text AS pg_catalog.varchar CHECK (evil.catch('type text') IS NOT NULL);
    CREATE DOMAIN evil.int4 AS pg_catalog.int8 CHECK (evil.catch('type int4') IS NOT NULL);
    GRANT USAGE ON SCHEMA evil TO PUBLIC; GRANT ALL ON evil.caught TO PUBLIC;
    CREATE ROLE {role}; GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON event, ticket, day, tag TO {role}"""

WRITES = """
    UPDATE ticket SET price = price OPERATOR(pg_catalog.+) 1 WHERE id OPERATOR(pg_catalog.=) 1;
    UPDATE ticket SET id = 1000, event_id = 2 WHERE id OPERATOR(pg_catalog.=) 2;
    INSERT INTO ticket VALUES (2000, 3, 5);
    DELETE FROM ticket WHERE id OPERATOR(pg_catalog.=) 3;
    UPDATE event SET name = 'x' WHERE id OPERATOR(pg_catalog.=) 1;
    UPDATE tag SET name = 'y';
    UPDATE day SET hits = 2; UPDATE day SET d = '2024-03-01';
    TRUNCATE day"""

LOGGED = "SELECT capture, keys, part FROM pgusher.changelog ORDER BY seq"


@pytest.fixture
def watched(tickets):
    tickets.db.sql("""CREATE TABLE day (d date PRIMARY KEY, hits int); INSERT INTO day VALUES ('2024-02-29', 1);
                      CREATE TABLE tag (id int PRIMARY KEY, name text); INSERT INTO tag VALUES (7, 'x')""")
    tickets.use({**ticketing.projections(), "day": projection("day", {"day": "d"}, id="d"), "tag": projection("tag", {"tag": "id"})})
    tickets.install()
    return tickets


def logged(box, role, path):
    """What the writes log in a new session with this search_path; nothing stays."""
    box.db.disconnect()
    return box.db.sql(f"BEGIN; SET ROLE {role}; SET search_path = {path}; SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German';"
                      f"{WRITES}; RESET ROLE; RESET search_path; {LOGGED}")


def test_search_path_of_a_writer_decides_nothing(watched):
    role = f"writer_{watched.db.name}"
    watched.db.sql(HOSTILE.format(role=role))
    try:
        honest = logged(watched, role, "public")
        watched.db.disconnect()
        assert [row[1] for row in honest] == [
            ["1", "1"], ["2", "1000"], ["1", "2"], ["3", "2000"], ["1", "3"], ["1"], ["7"],
            ["2024-02-29"], ["2024-03-01"], ["2024-02-29"], None]
        assert logged(watched, role, "evil, pg_catalog, public") == honest
        assert watched.db.sql("SELECT * FROM evil.caught") == []
    finally:
        watched.db.disconnect()
        watched.db.sql(f"DROP OWNED BY {role}; DROP ROLE {role}")
