"""Every example of every page is run, or left with a reason. Those of docs/operations.md that show what is printed: test_operations.py."""
import json
import os
import re
import shutil
import subprocess

import pytest

from harness import groonga, playbook, ticketing
from harness.http import Http
from harness.pages import Page, left_over, names, shell
from harness.processes import run
from harness.programs import BUILD, ROOT, run_program
from harness.prometheus import FOLDER as MONITORING
from harness.queue import Native, enqueue

README = Page("README.md")
OPERATIONS, QUEUE, MOVING = Page("docs/operations.md"), Page("docs/queue.md"), Page("docs/moving.md")
FLEET, REDIS, ALERTS = Page("docs/fleet.md"), Page("docs/redis.md"), Page("docs/monitoring.md")
TICKETING, INDEXERS = Page("examples/ticketing/README.md"), Page("examples/indexers/README.md")
MAN, MAN_QUEUE, MAN_WORKER = Page("docs/man/pgusher.1"), Page("docs/man/pgusher-queue.1"), Page("docs/man/pgusherd.8")
MAN_CONFIG = Page("docs/man/pgusher.json.5")
TESTS = [Page(name) for name in names() if name.startswith("tests/")]

README.leave("application ──", "a drawing")
Page("docs/architecture.md").leave("application   ", "a drawing")
OPERATIONS.leave_all("console", "test_operations.py runs them")
if "docs/security.md" in names():
    Page("docs/security.md").leave_all(None, "test_security*.py and test_privileges.py give roles and users these rights and no others")
REDIS.leave("ACL SETUSER", "test_redis_cluster.py and test_redis_sentinel.py give a user these rights and no others")

AT_WORK = "until pgusher status >status.out; do sleep 0.1; done"


@pytest.fixture
def db(cluster):
    """The database that the pages speak of."""
    db = cluster.create("ticketing", name="box_office")
    yield db
    db.drop()


@pytest.fixture
def here(tickets):
    """An empty folder where the programs find the servers by themselves."""
    folder = os.path.join(tickets.folder, "here")
    os.mkdir(folder)
    environment = playbook.environment(tickets)

    def script(text):
        tickets.transcript.append(printed := shell(text, environment, folder))
        return printed
    script.folder, script.environment = folder, environment
    return script


def write(folder, name, text, mode=0o644):
    path = os.path.join(folder, name)
    with open(path, "w", opener=lambda path, flags: os.open(path, flags, mode)) as file:
        file.write(text)
    return path


def test_every_block_is_run_or_left_with_a_reason():
    assert not left_over(), "\n".join(map(repr, left_over()))


# configurations

def checked(box, text):
    """With the sandbox's servers."""
    config = json.loads(text)
    box.write(json.dumps({**config, "postgres": box.db.conninfo(), "redis": box.redis.url}))
    box.pgusher("check").must(0)


@pytest.mark.parametrize("block", [README['{\n  "postgres"'], MAN_CONFIG["{"]], ids=repr)
def test_a_whole_configuration(tickets, block):
    checked(tickets, block.text)


@pytest.mark.parametrize("block", [FLEET['"look_back"'], OPERATIONS['"http"']], ids=repr)
def test_settings(tickets, block):
    token = write(tickets.folder, "token", "0123456789abcdef\n")
    checked(tickets, json.dumps({**tickets.config, **json.loads("{%s}" % block.text.replace("/etc/pgusher/http-token", token))}))


MANY_ROWS = README['"event": { "source"']


def test_many_rows(tickets):
    tickets.db.sql("""
        CREATE TABLE locale (code text PRIMARY KEY);
        CREATE TABLE translation (event_id int REFERENCES event, locale text REFERENCES locale, name text, PRIMARY KEY (event_id, locale));
        DROP VIEW event_card;
        CREATE VIEW event_card AS SELECT e.id, l.code AS locale, coalesce(t.name, e.name) AS name
            FROM event e CROSS JOIN locale l LEFT JOIN translation t ON t.event_id = e.id AND t.locale = l.code;
        INSERT INTO locale VALUES ('de'), ('pt');""")
    checked(tickets, '{"projections": {%s}}' % MANY_ROWS.text)
    tickets.config = json.loads(open(tickets.path).read()) | {"fleet": "default"}
    tickets.install()
    tickets.start()
    tickets.until_has("event:9:pt", name="Event 9", seconds=10)
    tickets.db.sql("INSERT INTO translation VALUES (9, 'pt', 'Nove')")
    tickets.until_has("event:9:pt", name="Nove")
    tickets.db.sql("INSERT INTO locale VALUES ('fr')")
    tickets.until_has("event:1:fr", name="Event 1")
    tickets.db.sql("DELETE FROM locale WHERE code = 'de'")
    tickets.until_gone("event:9:de")


# the README's way, from an empty folder and by example

FIRST_STEPS = [README["pgusher init"], MAN["pgusher init"]]
VIEW, COMMANDS, RESULT = README["CREATE VIEW"], README["pgusher check  "], README["$ redis-cli --json HGETALL"]


@pytest.mark.parametrize("block", FIRST_STEPS, ids=repr)
def test_first_steps(tickets, here, block):
    tickets.db.sql("DROP VIEW event_card, ticket_card")
    here(block.but(redis=("pgusher init", f"pgusher init --redis {tickets.redis.url}"),
                   once=("pgusherd -c pgusher.json", "pgusherd -c pgusher.json --once")))
    assert tickets.hash("event:9")["name"] == "Event 9" and tickets.redis.client.exists("ticket:27")


def test_by_example(tickets, here):
    tickets.db.sql("""
        DROP VIEW event_card, ticket_card;
        ALTER TABLE ticket ADD status text NOT NULL DEFAULT 'available';
        INSERT INTO venue VALUES (12, 'Teatro Colon', 'Porto');
        INSERT INTO event VALUES (77, 12, 'Ferry Lane', now() + interval '1 month');""")
    tickets.db.sql(VIEW.text)
    config = json.loads(README['{\n  "postgres"'].text)
    tickets.write(json.dumps({**config, "postgres": tickets.db.conninfo(), "redis": tickets.redis.url}))
    printed = here(COMMANDS.but(worker=("pgusherd  ", f"pgusherd 2>worker.log & {AT_WORK} #")) + f"""
        redis-cli DEL '{{search}}' '{{search}}:marks' '{{search}}:later'
        psql -Xqc "UPDATE venue SET name = 'Teatro Colón' WHERE id = 12"
        until [ "$(redis-cli HGET event:77 venue)" = 'Teatro Colón' ] && [ "$(redis-cli LLEN '{{search}}')" = 1 ]; do sleep 0.1; done
        """)
    assert "in step" in printed and "10 documents compared" in printed
    for text in re.split(r"^\$ ", RESULT.text, flags=re.M)[1:]:
        playbook.Step(text).run(here.environment)


# the fleet, and documents

FLEETS, BACKFILLS = FLEET["$ pgusher fleet list"], FLEET["pgusher backfill event --where"]
ANSWERS = [MAN["pgusher explain event 77"], MAN["pgusher backfill event --where"]]
WORKER, ONCE = MAN_WORKER["pgusherd -c"], MAN_WORKER["pgusherd --once"]


def test_fleets(tickets, here):
    tickets.use(ticketing.projections(), fleet="search")
    tickets.install()
    tickets.ready(ticketing.projections())
    tickets.db.sql("UPDATE event SET name = 'x' WHERE id = 1")
    tickets.until_caught_up()
    for text in re.split(r"^\$ ", FLEETS.text, flags=re.M)[1:]:
        playbook.Step(text).run(here.environment)
    here("pgusher fleet drop search")


def test_commands_on_documents(tickets, here):
    """First by a tool that is alone, then beside a worker."""
    tickets.install()
    tickets.db.sql("INSERT INTO event VALUES (77, 1, 'Ferry Lane', now() + interval '1 month')")
    printed = here(ONCE.text + ANSWERS[0].text)
    assert printed.endswith("not in it\n") or "in step" in printed
    here(WORKER.but(file=("/etc/pgusher/pgusher.json", '"$PGUSHER_CONFIG" 2>worker.log &')) + AT_WORK + "\n" + ANSWERS[1].text
         + BACKFILLS.but(there_is_one=("pgusher backfill event --pause", "pgusher backfill event --rate 1\npgusher backfill event --pause"))
         + "pgusher backfill event --resume\npgusher backfill event --cancel\n")


# the queue

CONSUME = [QUEUE["pgusher-queue consume"], MAN_QUEUE["pgusher-queue consume"]]
COMPILE, STATS, OPERATE = QUEUE["cc consumer.c"], QUEUE["redis-cli --eval"], QUEUE["pgusher-queue stats"]
PUSH = MAN_QUEUE["redis-cli --scan"]
INDEX = [README["$ pgusher-queue consume"], INDEXERS["pgusher-queue consume"]]
INDEX_ONE = INDEXERS["echo"]


@pytest.fixture
def filled(tickets):
    tickets.install()
    tickets.once()
    return tickets


@pytest.mark.parametrize("block", CONSUME, ids=repr)
def test_consume(filled, here, block):
    write(here.folder, "index-them", "#!/bin/sh\ncat >>indexed\n", 0o755)
    here(block.text.rstrip() + " --once")
    with open(os.path.join(here.folder, "indexed")) as file:
        documents = [json.loads(line) for line in file]
    assert len(documents) == 36 and {document["op"] for document in documents} == {"upsert"} and not filled.queued()


def test_operating_a_queue(filled, here):
    filled.drain()
    enqueue(filled.redis.client, "event:1", "event:2", "event:3")
    consumer = Native(filled.redis.client)
    consumer.bury(*consumer.reserve(1), reason="no")
    printed = here(OPERATE.but(watch=("stats '{search}' --watch", "stats '{search}' --watch >watched & "
                                      "until grep -q waiting watched; do sleep 0.05; done; kill -INT $!; wait $!")) + PUSH.text)
    assert "no" in printed and "1 replayed" in printed and "event:3\tcoalesced" in printed
    assert filled.redis.client.hget("{search}:meta", "paused") and "LATER" in here("pgusher-queue list; pgusher-queue resume '{search}'")


def test_a_script_by_hand(filled, here):
    assert here(STATS.but(build=("build/lua", f"{BUILD}/lua"))).count("\n") > 10


def test_a_consumer_is_compiled(here, workspace):
    if not shutil.which("cc"):
        pytest.skip("no C compiler is installed")
    prefix = os.path.join(here.folder, "prefix")
    done = run(["make", "-s", "-C", ROOT, f"B={BUILD}", f"PREFIX={prefix}", "install"], seconds=300)
    assert done.returncode == 0, done.stderr
    shutil.copy(os.path.join(ROOT, "examples/consumer.c"), here.folder)
    here.environment["PKG_CONFIG_PATH"] = f"{prefix}/lib/pkgconfig"
    here(COMPILE.text)


@pytest.fixture
def engine(workspace):
    yield from groonga.running(workspace)


def test_indexers(filled, here, engine):
    """Groonga's usual address may be taken by another."""
    def to(engine, text):
        return text.replace("examples/", f"{ROOT}/examples/").replace("http://127.0.0.1:10041", engine.url)
    here(to(engine, INDEX_ONE.but(server=("groonga.py", f"groonga.py --server {engine.url}"))))
    assert engine.select("Documents")["event:77"]["name"] == "Große Halle"
    here(to(engine, INDEX[1].text).rstrip() + " --once")
    assert "event:9" in engine.found("Documents", "name", "event 9") and len(engine.select("Documents")) == 37
    filled.db.sql("UPDATE event SET name = 'Nine' WHERE id = 9")
    filled.once()
    text = to(engine, INDEX[0].text.removeprefix("$ ")).rstrip()
    here(f"{text.replace('groonga.py', f'groonga.py --server {engine.url}', 1).replace('--exec ', '--exec ' + chr(39))}' --once")
    assert engine.select("Documents")["event:9"]["name"] == "Nine"


# over HTTP

TOKEN = OPERATIONS["openssl rand"]


@pytest.mark.skipif(not shutil.which("curl") or not shutil.which("openssl"), reason="curl or openssl is not installed")
def test_actions_with_a_token(filled, here):
    token = os.path.join(filled.folder, "http-token")
    make, *use = TOKEN.but(file=("/etc/pgusher/http-token", token)).splitlines()
    here(make)
    filled.use(ticketing.projections(), http={"address": "127.0.0.1:0", "token_file": token})
    host, port = Http(filled.start()).address
    printed = here("\n".join(use).replace("127.0.0.1:9187", f"{host}:{port}").replace("curl ", "curl -sS "))
    assert printed.splitlines() == ["0 of {search} replayed", "0 of event in quarantine to be tried again now"]


# the ticketing example, a smaller one

MARKET = TICKETING["createdb"]


def test_the_ticketing_example_by_hand(tickets, here):
    folder = os.path.join(here.folder, "ticketing")
    shutil.copytree(os.path.join(ROOT, "examples/ticketing"), folder)
    with open(os.path.join(folder, "pgusher.json")) as file:
        write(folder, "pgusher.json", file.read().replace("unix:///run/redis/redis.sock", tickets.redis.url)
              .replace("dbname=box_office", "dbname=box_office_2"))
    text = MARKET.but(database=("box_office", "box_office_2"), small=("-d box_office_2", "-q -v venues=20 -v events=200 -v tickets=2000 -d box_office_2"),
                      quiet=("pgusherd -c pgusher.json &", "pgusherd -c pgusher.json 2>worker.log &"), short=("-T 10", "-t 20"),
                      redis=("-s /run/redis/redis.sock hgetall event:77", "exists event:77"))
    try:
        here(f"cd ticketing; {text}export PGUSHER_CONFIG=pgusher.json; {AT_WORK}\npgusher verify")
    finally:
        tickets.db.cluster.database("box_office_2").drop()


# what is run elsewhere: that it is not nonsense

BY_HAND = {
    README["make deps"]: "tests/system does this in a machine that is booted",
    **{OPERATIONS[start]: "tests/system does the like in a machine that is booted"
       for start in ("systemctl enable", "for unit", "systemctl edit")},
    FLEET["for host"]: "three hosts",
    MOVING["export OLD_FLEET"]: "test_moving.py runs the script",
    MOVING["CUT_OVER='…' STOP_OLD"]: "test_moving.py runs the script",
    MOVING["export OLD='host=old"]: "test_moving.py runs the script",
    README["make demo"]: "make check runs this test",
    **{block: "the tests themselves" for page in TESTS for block in page.blocks},
}
for left in BY_HAND:
    Page.all[left.page].taken.add(left)


@pytest.mark.parametrize("block", BY_HAND, ids=repr)
def test_commands_that_are_run_elsewhere(block):
    """They are shell, and goals, units, files and variables that they name exist."""
    done = subprocess.run(["bash", "-n"], input=block.text, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    with open(os.path.join(ROOT, "Makefile")) as makefile:
        goals = set(re.findall(r"^([a-z-]+):", makefile.read(), re.M))
    assert set(re.findall(r"\bmake (?!ROWS)([a-z-]+)", block.text)) <= goals
    units = {name.replace("@", "").removesuffix(".in").rpartition(".")[0] for name in os.listdir(os.path.join(ROOT, "systemd"))}
    for line in block.text.splitlines():
        if "systemctl" in line:
            assert set(re.findall(r"pgusher[\w-]*", line.split("#")[0])) - {"pgusherd-new"} <= units, line
    for path in re.findall(r"(?:examples|tests)/[\w./-]+", block.text):
        assert os.path.exists(os.path.join(ROOT, path)), path
    for script in set(re.findall(r"examples/moving/[\w.-]+", block.text)):
        with open(os.path.join(ROOT, script)) as file:
            head = file.read().partition("set -euo")[0]
        for name in re.findall(r"\b([A-Z_]{3,})=", block.text):
            assert re.search(rf"\b{name}\b", head), name


# monitoring

SCRAPE, INHIBIT = ALERTS["rule_files"], ALERTS["inhibit_rules"]


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed (package prometheus)")
def test_scrape_configuration(workspace, tmp_path):
    text = SCRAPE.but(rules=("/etc/prometheus/pgusher/alerts.yml", f"{MONITORING}/alerts.yml"))
    done = run(["promtool", "check", "config", write(tmp_path, "prometheus.yml", text)])
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


def test_inhibition_names_what_is_there():
    """Alertmanager itself is not installed for the tests."""
    with open(os.path.join(MONITORING, "alerts.yml")) as file:
        rules = file.read()
    names = set(re.findall(r"Pgusher\w+", INHIBIT.text))
    assert names and all(f"alert: {name}\n" in rules for name in names)
    assert set(re.findall(r"severity = (\w+)", INHIBIT.text)) <= set(re.findall(r"severity: (\w+)", rules))
