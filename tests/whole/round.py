"""One round: a schema, its projections and a list of steps, made from a seed; and its run against real servers.

A failure is a Failure with a kind, so that a smaller round can be told to fail for the same reason.
"""
import collections
import copy
import io
import json
import random
import shutil
import tempfile
import threading

import psycopg2
import pytest
from psycopg2.extensions import TRANSACTION_STATUS_INERROR as IN_ERROR

import kinds
from changes import Changes
from expect import Expected, Template, name
from harness.box import Box
from tables import Builder
from traffic import SESSIONS, Step, Traffic
from views import Views

OURS_TO_FAIL = {"42601", "42703", "42P01", "42883", "42804", "42P02", "42702", "42803"}


class Failure(Exception):
    def __init__(self, kind, text):
        super().__init__(f"{kind}: {text}")
        self.kind = kind


class Round:
    """What is run. Copied and thinned out by shrink.py."""

    def __init__(self, seed, merge=True):
        rng = random.Random(seed)
        self.seed = seed
        builder = Builder(rng, rng.randint(2, 5))
        views = Views(rng, builder)
        self.ddl = builder.ddl()
        self.triggers = builder.triggers()
        self.projections = [made for made in (views.projection(n) for n in range(rng.randint(2, 5))) if made]
        while not self.projections:
            self.projections = [made for made in [views.projection(9)] if made]
        self.settings = {"partitions": rng.choice([1, 2, 5, 16]), "sweep": "200 ms", "look_back": "1 s"}
        self.workers = rng.choice([1, 1, 2])
        self.database = rng.sample(kinds.SETTINGS, rng.choice([0, 0, 1, 3]))
        traffic = Traffic(rng, builder.tables, merge)
        self.steps = traffic.fill() + [Step(0, "start", "")]
        changes = Changes(rng, builder, copy.deepcopy(self.projections))
        for number in range(rng.randint(2, 4)):
            self.steps += traffic.phase(rng.randint(20, 60))
            if rng.random() < 0.35:
                self.steps += quiet(traffic) + changes.steps() + [Step(0, "settle", "")]
        self.steps += quiet(traffic) + [Step(0, "settle", ""), Step(0, "verify", "")]


def quiet(traffic):
    steps = [Step(session, "sql", "COMMIT") for session in range(SESSIONS)]
    steps += [Step(0, "sql", f"ROLLBACK PREPARED '{name}'") for name in traffic.prepared]
    traffic.levels, traffic.prepared = [0] * SESSIONS, []
    return steps


class Tally(collections.Counter):
    """Rounds, statements, comparisons; and what was refused."""

    def __init__(self):
        super().__init__()
        self.errors = collections.Counter()

    def __str__(self):
        lines = [", ".join(f"{number} {name}" for name, number in self.items())]
        return "\n".join(lines + [f"statements that failed with {code}: {number}" for code, number in self.errors.most_common(12)])


class Run:
    def __init__(self, cluster, redis, round_, tally):
        self.round, self.tally, self.redis = round_, tally, redis
        self.expected = None
        self.patience = 60  # seconds until a queue is told
        self.projections = list(round_.projections)
        self.db = cluster.create()
        redis.client.flushall()
        self.folder = tempfile.mkdtemp(prefix="pgw-")
        self.box = Box(self.folder, self.db, redis)
        self.sessions = {}
        self.before = {}
        self.log_start = cluster.log_size()

    def __enter__(self):
        return self

    def __exit__(self, kind, failure, _):
        for connection in self.sessions.values():
            connection.close()
        for gid, in self.db.sql("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"):
            self.db.sql(f"ROLLBACK PREPARED '{gid}'")
        try:
            self.box.stop()
        except AssertionError as ended_badly:
            if not kind:
                raise Failure("worker", str(ended_badly)) from None
        finally:
            self.db.drop()
            shutil.rmtree(self.folder)

    def report(self):
        return "\n".join(f"-- {title}\n{text[-3000:]}" for title, text in self.box.report())

    def go(self):
        self.make()
        self.configure()
        for step in self.round.steps:
            getattr(self, f"do_{step.kind}")(step)
        self.tally["rounds"] += 1

    # the database and the configuration

    def make(self):
        for statement in [*self.round.ddl, *self.round.triggers, *(text for each in self.projections for text in each.ddl)]:
            try:
                self.db.sql(statement)
            except psycopg2.Error as error:
                raise Failure("generator", f"{error}\n{statement}") from None
        for setting in self.round.database:
            self.db.sql(f'ALTER DATABASE "{self.db.name}" SET {setting}')
        self.db.disconnect()
        self.db.sql("SET client_encoding = utf8")
        self.db.sql("""DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app') THEN CREATE ROLE app; END IF;
                       FOR n IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' LOOP
                         EXECUTE format('GRANT USAGE ON SCHEMA %1$I TO app; GRANT ALL ON ALL TABLES IN SCHEMA %1$I TO app;'
                                        'GRANT ALL ON ALL SEQUENCES IN SCHEMA %1$I TO app', n); END LOOP; END $$""".replace(
            "DO $$ BEGIN", "DO $$ DECLARE n name; BEGIN"))

    def configure(self):
        """All that the generator makes is documented, so check must find nothing wrong with it."""
        self.box.use({each.name: each.config for each in self.projections}, **self.round.settings)
        result = self.box.pgusher("check", "--json")
        if result.code != 0:
            problems = json.loads(result.out)["problems"] if result.code == 78 else [{"level": "error", "place": "", "text": str(result)}]
            raise Failure("refused", "\n".join(f"{each['place']}: {each['text']}" for each in problems if each["level"] == "error"))
        self.tally["projections"] += len(self.projections)
        self.box.pgusher("install").must(0)

    # sessions

    def session(self, number):
        if number not in self.sessions or self.sessions[number].closed:
            self.sessions[number] = self.db.connect(autocommit=True)
            self.sessions[number].cursor().execute("SET lock_timeout = '60ms'; SET client_encoding = utf8")
        return self.sessions[number]

    def do_sql(self, step):
        """Within a transaction each statement has a savepoint of its own, so that one that fails does not end all."""
        connection = self.session(step.session)
        cursor = connection.cursor()
        if connection.info.transaction_status == IN_ERROR:
            cursor.execute("ROLLBACK")
        guarded = connection.info.transaction_status and step.text.split(" ")[0] in ("INSERT", "UPDATE", "DELETE", "WITH", "MERGE", "DO")
        if guarded:
            cursor.execute("SAVEPOINT guard")
        self.attempt(lambda: cursor.execute(step.text), step)
        if guarded:
            cursor.execute("ROLLBACK TO guard" if connection.info.transaction_status == IN_ERROR else "RELEASE guard")
        if step.session < 0 and connection.info.transaction_status:
            connection.cursor().execute("ROLLBACK")

    def attempt(self, action, step):
        """Runs it; an application's statement may fail, but not for us."""
        self.tally["statements"] += 1
        try:
            action()
        except psycopg2.Error as error:
            self.tally["failed"] += 1
            code = error.pgcode or ""
            self.tally.errors[code] += 1
            ours = "pgusher." in (error.diag.context or "") and code not in ("40P01", "55P03", "40001")
            if ours or code[:2] in ("XX", "58", "57", "08") or not code:
                raise Failure("writer", f"{error}\n{error.diag.context}\n{step.text}") from None
            if code in OURS_TO_FAIL and "odd.trigger_" not in (error.diag.context or "") and "DO" not in step.text[:2]:
                raise Failure("generator", f"{code} {error}\n{step.text}") from None

    def do_copy(self, step):
        rows, into = step.text.split("\n\n\n")
        connection = self.session(step.session)

        def run():
            text = io.BytesIO()
            with connection.cursor() as cursor:
                cursor.copy_expert(f"COPY ({rows}) TO STDOUT", text)
                text.seek(0)
                cursor.copy_expert(into, text)
        self.attempt(run, step)

    def do_deadlock(self, step):
        """Two transactions, each of which does first what the other does last."""
        texts = step.text.split("\n\n\n")

        def run(first, second):
            connection = self.db.connect(autocommit=True)
            try:
                connection.cursor().execute("SET lock_timeout = '1s'; SET client_encoding = utf8")
                connection.cursor().execute("BEGIN")
                connection.cursor().execute(first)
                connection.cursor().execute(second)
                connection.cursor().execute("COMMIT")
            except psycopg2.Error:
                pass
            finally:
                connection.close()
        threads = [threading.Thread(target=run, args=texts), threading.Thread(target=run, args=texts[::-1])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.tally["statements"] += 4

    # programs

    def do_start(self, _):
        for _ in range(self.round.workers):
            self.box.start()
        self.wait(lambda: self.box.until_asleep(60))
        self.do_settle(None)

    def do_tool(self, step):
        result = self.box.pgusher(*step.text.split())
        if result.code != 0 and "in quarantine" not in result.err:
            raise Failure("tool", str(result))

    def do_worker(self, step):
        running = [daemon for daemon in self.box.daemons if daemon.alive()]
        if step.text == "once":
            for daemon in running:
                daemon.stop()
            self.box.once()
            self.box.start()
        elif step.text == "hup":
            running[0].reload()
        elif step.text in ("kill", "stop"):
            getattr(running[0], step.text)()
            self.box.start()
        else:
            self.box.start()

    def wait(self, condition):
        try:
            condition()
        except (pytest.fail.Exception, AssertionError) as failure:
            raise Failure("stuck", f"{failure}\n{self.box.quarantined()}") from None

    # the comparison

    def do_settle(self, _):
        self.wait(lambda: self.box.until_caught_up(60))
        self.wait(lambda: self.box.until(lambda: not self.db.value("SELECT count(*) FROM pgusher.backfill"), 60, "no backfill is left"))
        self.box.until(lambda: not self.ending(), 90, "no document is about to end", every=0.1)
        expected = self.expected
        found = list(expected.differences(self.redis.client))
        self.tally["documents"] += len(expected.sure)
        self.tally["fields"] += sum(len(fields) for fields in expected.contents().values())
        if found:
            raise Failure("different", "\n".join(found[:8]) + f"\n{len(found)} in all\n{self.box.quarantined()}")
        self.told(expected.contents())

    def ending(self):
        self.expected = Expected(self.db, self.projections)
        return self.expected.soon()

    def told(self, now):
        """Whatever differs from what stood at the last settling must have been queued in between, in each of its queues."""
        changed = {key for key in now.keys() | self.before.keys() if now.get(key) != self.before.get(key)}
        queues = {}
        for each in self.projections:
            for queue in each.config["queues"]:
                queues.setdefault(queue, []).append(each)
        self.before = now
        for queue, owners in queues.items():
            heads = tuple(Template(each.config["key"]).literals[0] for each in owners)
            self.heard(queue, {key for key in changed if key.startswith(heads)})

    def heard(self, queue, changed):
        items = set()

        def all_told():
            items.update(item.encode() for item in self.box.drain(queue))
            return changed <= items
        try:
            self.box.until(all_told, self.patience, "the queue")
        except pytest.fail.Exception:
            missing = sorted(changed - items)
            raise Failure("queue", f"{queue} was not told of {[name(key) for key in missing[:6]]}, {len(missing)} in all") from None
        self.tally["items"] += len(items)

    def do_verify(self, _):
        """What pgusher itself says at the end."""
        for verb in ("verify", "check"):
            result = self.box.pgusher(verb)
            if result.code != 0:
                raise Failure(verb, str(result))
