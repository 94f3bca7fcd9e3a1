"""What roles that may do little could do to those that may do more: functions in a schema that everybody may use, rows that are
hidden from a reader."""
import re

import psycopg2
import pytest

from harness import ticketing
from harness.box import projection

# They fit better than PostgreSQL's own what was found by trying all types, and give what is not to be expected.
BETTER = """
    SET ROLE {role};
    CREATE FUNCTION public.catch(what text) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO public.caught VALUES (what, current_user); END $$;
    DO $do$
    DECLARE
        f record;
    BEGIN
        FOR f IN SELECT * FROM (VALUES
            ('array_agg', 'text', 'text'), ('quote_ident', 'name', 'text'), ('format_type', 'oid, text', 'text'),
            ('unnest', 'text[]', 'SETOF text'), ('unnest', 'oid[]', 'SETOF oid'), ('cardinality', 'smallint[]', 'integer'),
            ('to_jsonb', 'jsonb', 'jsonb'), ('concat_ws', 'text, text', 'text'), ('array_remove', 'text[], text', 'text[]'),
            ('string_agg', 'text, "char"', 'text'), ('generate_series', 'integer, smallint', 'SETOF integer')) f (name, arguments, result)
        LOOP
            EXECUTE format('CREATE FUNCTION public.%I(%s) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN PERFORM public.catch(%L); RETURN%s; END $f$',
                           f.name, f.arguments, f.result, f.name, CASE WHEN f.result NOT LIKE 'SETOF%' THEN ' NULL' END);
        END LOOP;
        FOR f IN SELECT * FROM (VALUES
            ('=', 'oid', 'integer', 'boolean'), ('=', 'oid', 'smallint', 'boolean'), ('=', 'name', 'name[]', 'boolean'),
            ('||', 'name', 'name', 'text'), ('||', 'text', 'name', 'text'), ('||', 'text', 'regclass', 'text'),
            ('||', 'smallint[]', 'smallint', 'smallint[]'), ('*', 'double precision', 'integer', 'double precision'),
            ('-', 'jsonb', 'jsonb', 'jsonb'), ('<>', 'oid', 'regnamespace', 'boolean'), ('=', 'oid', 'regclass', 'boolean')) f (sign, a, b, result)
        LOOP
            EXECUTE format('CREATE FUNCTION public.better(%s, %s) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN PERFORM public.catch(%L); RETURN NULL; END $f$',
                           f.a, f.b, f.result, f.sign);
            EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.better)', f.sign, f.a, f.b);
        END LOOP;
    END $do$;
    RESET ROLE"""


@pytest.fixture
def role(box):
    """A role that is gone after the test, with all that it made."""
    name = f"mallory_{box.db.name}"
    box.db.sql(f"CREATE ROLE {name} LOGIN")
    yield name
    box.stop()
    box.db.disconnect()
    box.db.once(f"RESET ROLE; DROP OWNED BY {name}; DROP ROLE {name}")


@pytest.fixture
def trapped(tickets, role):
    tickets.db.sql(f"CREATE TABLE caught (what text, who text); GRANT ALL ON caught TO PUBLIC; GRANT CREATE ON SCHEMA public TO {role}")
    tickets.db.once(BETTER.format(role=role))
    return tickets


def test_what_others_create_is_not_called_for_an_operator(trapped):
    """Whoever checks, installs and looks may be a superuser."""
    for verb in (["check"], ["install", "--print"], ["install"], ["check"], ["status"], ["status", "--json"], ["fleet", "list"],
                 ["quarantine", "list"], ["quarantine", "retry"], ["init", "--print", "--postgres", trapped.db.conninfo(), "event"],
                 ["fleet", "drop", "default"], ["uninstall"]):
        trapped.pgusher(*verb).must((0, 1))
        assert trapped.db.sql("SELECT * FROM caught") == [], verb


def test_the_trap_is_one(trapped, role):
    """What is asked with the search_path of the database's sessions calls them."""
    trapped.db.sql("SELECT quote_ident(nspname) FROM pg_namespace; SELECT 1 WHERE 1::oid = 2")
    assert {row[0] for row in trapped.db.sql("SELECT what FROM caught")} >= {"quote_ident", "="}


def test_check_names_a_schema_that_everybody_may_fill(tickets):
    words = "everybody may create functions and operators in schema public"
    assert words not in tickets.pgusher("check").text
    tickets.db.sql("GRANT CREATE ON SCHEMA public TO PUBLIC")
    told = tickets.pgusher("check").must(0, words)
    tickets.db.sql(re.search("REVOKE .*;", told.text)[0])
    assert words not in tickets.pgusher("check").text


def test_a_trigger_runs_nobodys_code(box, role):
    """Not even where its plans are of other types and it looks at the row anew: the check of a domain would run with its owner's rights."""
    box.db.sql(f"""CREATE TABLE caught (who text); GRANT INSERT ON caught TO PUBLIC; GRANT CREATE ON SCHEMA public TO {role};
                   CREATE FUNCTION trap(value text) RETURNS boolean LANGUAGE plpgsql AS
                   'BEGIN INSERT INTO caught VALUES (current_user); RETURN true; END';
                   CREATE DOMAIN word AS text CHECK (trap(VALUE));
                   CREATE TABLE item (id int PRIMARY KEY, name word, n int); GRANT ALL ON item TO {role}""")
    box.ready({"item": projection("item", {"item": "id"})})
    session = psycopg2.connect(box.db.conninfo(role))
    session.autocommit = True
    cursor = session.cursor()
    cursor.execute("INSERT INTO item VALUES (1, 'a', 1)")
    box.db.sql("ALTER TABLE item ALTER id TYPE bigint, ALTER n TYPE bigint")
    box.db.sql("DELETE FROM caught")
    cursor.execute("INSERT INTO item VALUES (5000000000, 'b', 1)")
    session.close()
    assert {who for who, in box.db.sql("SELECT who FROM caught")} == {role}
    box.in_step()


# ---- rows that are hidden ----

@pytest.fixture
def secured(tickets, role):
    """A table read directly by a role that sees but a part, and one that a view reads for its owner."""
    tickets.db.sql(f"""ALTER TABLE event ENABLE ROW LEVEL SECURITY; CREATE POLICY porto ON event USING (venue_id = 1);
                       GRANT SELECT ON event, event_card, ticket TO {role}""")
    tickets.use({"event": projection("event", {"event": "id"}), "card": {**ticketing.projections()["event"], "key": "card:{id}"}})
    tickets.install()
    tickets.use(tickets.projections, postgres=tickets.db.conninfo(role))
    return tickets


def told(box):
    return [line for line in box.pgusher("check").text.splitlines() if "row-level security" in line]


def test_check_tells_of_rows_that_a_reader_does_not_see(secured, role):
    line, = told(secured)
    assert "public.event" in line and f"ALTER ROLE {role} BYPASSRLS" in line
    secured.db.sql(f"CREATE POLICY all_of_it ON event FOR SELECT TO {role} USING (true)")
    assert told(secured) == []
    secured.db.sql(f"CREATE POLICY not_quite ON event AS RESTRICTIVE FOR SELECT TO {role} USING (id > 3)")
    assert len(told(secured)) == 1
    secured.db.sql(re.search("ALTER ROLE [^;]*;", line)[0])
    assert told(secured) == []


def test_check_looks_through_views_as_their_owners(secured, role):
    """The view is the superuser's, who sees all; when it is another's, or the reader's rights count, it is not."""
    secured.use({"card": secured.projections["card"]}, postgres=secured.db.conninfo(role))
    assert told(secured) == []
    secured.db.sql("CREATE ROLE {0}_2; GRANT SELECT ON event, ticket, venue TO {0}_2; ALTER VIEW event_card OWNER TO {0}_2".format(role))
    try:
        line, = told(secured)
        assert f"{role}_2" in line
        secured.db.sql("ALTER VIEW event_card OWNER TO postgres; ALTER VIEW event_card SET (security_invoker = on)")
        line, = told(secured)
        assert f"role {role}," in line
    finally:
        secured.db.sql("ALTER VIEW event_card OWNER TO postgres; DROP OWNED BY {0}_2; DROP ROLE {0}_2".format(role))
