"""Roles that have just what docs/security.md lists, and what is said when one of these is missing."""
import os
import re

import psycopg2
import pytest

from harness import ticketing
from harness.ports import free_ports
from harness.programs import run_program
from harness.waiting import stays, until

MANUAL = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "security.md")


def documented():
    """The grants of the page, without the role."""
    with open(MANUAL) as file:
        return re.findall(r"(?m)^GRANT (.*) TO worker;$", file.read())


@pytest.fixture
def role(box):
    """Makes roles that are gone after the test, with what they own."""
    made = []

    def make(name):
        made.append(f"{name}_{box.db.name}")
        box.db.sql(f"CREATE ROLE {made[-1]} LOGIN")
        return made[-1]
    yield make
    box.stop()
    for name in reversed(made):
        box.db.sql(f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")


@pytest.fixture
def worker(tickets, role):
    """Installed by the owner; the configuration is that of a role that may do what is documented."""
    tickets.install()
    name = role("worker")
    tickets.db.sql(f"GRANT SELECT ON event_card, ticket_card, event, ticket TO {name}")
    for grant in documented():
        tickets.db.sql(f"GRANT {grant} TO {name}")
    tickets.use(ticketing.projections(), postgres=tickets.db.conninfo(name))
    return name


def refused(box, role, statement):
    connection = box.db.connect(role, autocommit=True)
    with connection.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cursor.execute(statement)
    connection.close()


def test_a_worker_and_an_operator_with_what_is_documented(tickets, worker):
    daemon = tickets.start()
    tickets.until_asleep()
    tickets.db.sql("UPDATE event SET name = 'seen' WHERE id = 1; DELETE FROM ticket WHERE id = 2")
    tickets.until_has("event:1", name="seen")
    tickets.in_step()
    for verb in (["check"], ["status"], ["verify", "--repair"], ["explain", "event", "1"], ["backfill", "--wait"], ["backfill", "--dry-run"],
                 ["quarantine", "list"], ["quarantine", "retry"], ["fleet", "list"]):
        tickets.pgusher(*verb).must(0)
    assert not daemon.said("permission denied")
    for statement in ("DELETE FROM pgusher.changelog", "INSERT INTO pgusher.changelog_0 (seq, part, capture) VALUES (1, 1, 1)",
                      "TRUNCATE pgusher.changelog_1", "UPDATE pgusher.meta SET partitions = 1", "UPDATE pgusher.capture SET id = id",
                      "CREATE TABLE pgusher.mine ()", "DROP TRIGGER pgusher_change ON event", "SELECT pgusher.capture_1()",
                      "SELECT setval('pgusher.gauge', 1)", "DELETE FROM event"):
        refused(tickets, worker, statement)


def test_each_grant_is_named_when_it_is_missing(tickets, worker):
    for grant in documented():
        tickets.db.sql(f"REVOKE {grant} FROM {worker}")
        told = tickets.pgusher("check").must(78, f"GRANT {grant} TO {worker};")
        tickets.db.sql(re.search(f"GRANT {re.escape(grant)} TO .*?;", told.text)[0])
    tickets.db.sql(f"REVOKE SELECT ON event_card FROM {worker}")
    told = tickets.pgusher("check").must(78, "GRANT SELECT ON public.event_card TO")
    tickets.db.sql(f"GRANT SELECT ON public.event_card TO {worker}")
    tickets.pgusher("check").must(0)


def test_a_writer_has_nothing_to_do_with_the_changelog(tickets, role):
    tickets.install()
    name = role("writer")
    tickets.db.sql(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ticket TO {name}; GRANT TEMPORARY ON DATABASE {tickets.db.name} TO {name}")
    before = tickets.changes()
    connection = tickets.db.connect(name, autocommit=True)
    with connection.cursor() as cursor:
        # What is looked for in the session's own schema first must not be found there.
        cursor.execute("""CREATE TEMP TABLE changelog_0 (LIKE ticket); CREATE TEMP TABLE changelog (a int); CREATE TEMP TABLE gauge (a int);
                          CREATE TEMP VIEW pg_class AS SELECT 1 AS nothing; CREATE TYPE pg_temp.text AS (a int);
                          CREATE FUNCTION pg_temp.nextval(regclass) RETURNS bigint LANGUAGE sql AS 'SELECT 1 / 0';
                          CREATE FUNCTION pg_temp.hash_array(anyarray) RETURNS int LANGUAGE sql AS 'SELECT 1 / 0';
                          SET search_path = pg_temp, public; UPDATE ticket SET price = price + 1 WHERE id = 1""")
    connection.close()
    assert tickets.changes() == before + 1
    tickets.db.sql(f"CREATE TABLE mine (id int, event_id int); ALTER TABLE mine OWNER TO {name}")
    for statement in ("SELECT * FROM pgusher.changelog", "DELETE FROM pgusher.changelog", "INSERT INTO pgusher.changelog_0 (seq, part, capture) VALUES (1, 1, 1)",
                      "SELECT pgusher.upkeep()", "SELECT pgusher.restart_log()", "ALTER TABLE ticket DISABLE TRIGGER ALL",
                      "SET session_replication_role = replica",
                      "CREATE TRIGGER forge AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION pgusher.capture_1()"):
        refused(tickets, name, statement)


def test_what_is_set_for_the_role_does_not_stop_a_worker(tickets, role):
    """A role for short queries of an application, say. Whoever sleeps or reads for long is not ended."""
    name = role("hasty")
    tickets.install()
    slow = tickets.db.value("SELECT pg_get_viewdef('event_card'::regclass)").replace("e.name", "(e.name || pg_sleep(0.05)) AS name")
    limits = {"statement_timeout": "200ms", "lock_timeout": "200ms", "idle_session_timeout": "1s", "idle_in_transaction_session_timeout": "1s",
              "default_transaction_isolation": "serializable", "standard_conforming_strings": "off", "transaction_timeout": "200ms"}
    for setting, value in limits.items():
        if tickets.db.value("SELECT current_setting(%s, true)", setting):
            tickets.db.sql(f"ALTER ROLE {name} SET {setting} = '{value}'")
    tickets.db.sql(f"""CREATE OR REPLACE VIEW event_card AS {slow} GRANT pg_read_all_data TO {name};
                       GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA pgusher TO {name}""")
    tickets.use(ticketing.projections(), postgres=tickets.db.conninfo(name))
    worker = tickets.start()
    tickets.until_asleep(30)
    tickets.db.sql("UPDATE event SET name = name || '!'")
    tickets.in_step()
    stays(tickets.asleep, 2)
    assert not worker.said("trying again"), worker.log


def test_an_installer_without_the_tables_and_an_uninstaller(tickets, role):
    """The views are the superuser's; what is installed is the installer's own."""
    name, other = role("installer"), role("other")
    tickets.use(ticketing.projections(), postgres=tickets.db.conninfo(name))
    tickets.db.sql(f"GRANT SELECT ON event_card, ticket_card, event, ticket, venue TO {name}")
    tickets.pgusher("install").must(78, "permission denied")
    tickets.pgusher("check").must(0, f"role {name} would need", "CREATE on the database", "to own public.")
    tickets.db.sql(f"GRANT CREATE ON DATABASE {tickets.db.name} TO {name}; GRANT TRIGGER ON event, ticket, venue TO {name}")
    tickets.pgusher("install").must(78, "must be owner of")
    for table in ("event", "ticket", "venue"):
        tickets.db.sql(f"ALTER TABLE {table} OWNER TO {name}")
    tickets.pgusher("install").must(0)
    assert tickets.db.sql("SELECT DISTINCT proowner::regrole::text FROM pg_proc WHERE pronamespace = 'pgusher'::regnamespace") == [(name,)]
    tickets.once()
    tickets.db.sql("UPDATE event SET name = 'seen' WHERE id = 1")
    tickets.once()
    assert tickets.has("event:1", name="seen")
    tickets.use(ticketing.projections(), postgres=tickets.db.conninfo(other))
    tickets.pgusher("uninstall").must(78, "must be owner of schema pgusher")
    tickets.db.sql(f"GRANT {name} TO {other}")
    tickets.pgusher("uninstall").must(0)
    until(lambda: tickets.db.value("SELECT to_regnamespace('pgusher') IS NULL"), 5, "it is gone")


def test_an_installer_to_whom_the_schema_was_given(tickets, role):
    """It may make no other one in the database, neither at first nor when it installs again."""
    name = role("installer")
    tickets.use(ticketing.projections(), postgres=tickets.db.conninfo(name))
    tickets.db.sql(f"GRANT SELECT ON event_card, ticket_card TO {name}; CREATE SCHEMA pgusher AUTHORIZATION {name}")
    for table in ("event", "ticket", "venue"):
        tickets.db.sql(f"ALTER TABLE {table} OWNER TO {name}")
    check = tickets.pgusher("check").must(0, "does not capture changes yet; run: pgusher install")
    assert "would need" not in check.text
    tickets.pgusher("install").must(0)
    tickets.db.sql("DROP TRIGGER pgusher_update ON venue")
    check = tickets.pgusher("check").must(0, "(1 to change); run: pgusher install")
    assert "would need" not in check.text
    tickets.pgusher("install").must(0, "1 change of")


# ---- Redis ----

def test_a_consumer_with_what_is_documented(tickets):
    """Every command of the list, and every pattern, is needed; what is missing is named."""
    with open(MANUAL) as file:
        rules = re.search(r"consumer or producer[^|]*\| `(.*)` \|", file.read())[1].replace("\\|", "|").split()
    tickets.ready(ticketing.event_only())
    client = tickets.redis.client
    client.execute_command("ACL", "SETUSER", "indexer", "on", ">password", *rules)
    port = free_ports(1)[0]
    client.config_set("port", port)
    address = f"redis://indexer:password@127.0.0.1:{port}"
    for verb in (["push", "{search}", "event:2"], ["stats", "{search}"], ["consume", "{search}", "--docs", "--exec", "cat > /dev/null", "--once"]):
        run_program("pgusher-queue", "--redis", address, *verb).must(0)
    client.execute_command("ACL", "SETUSER", "indexer", "-evalsha")
    run_program("pgusher-queue", "--redis", address, "push", "{search}", "event:2").must((69, 78), "NOPERM", "evalsha")
    client.execute_command("ACL", "SETUSER", "indexer", "+evalsha", "resetkeys", "~event:*")
    run_program("pgusher-queue", "--redis", address, "push", "{search}", "event:2").must((69, 78), "NOPERM")
