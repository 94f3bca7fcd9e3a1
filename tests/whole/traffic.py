"""Random statements of several sessions, as a list made ahead: a seed gives the same list each time, and a part of it can be run, too.

What fails (a key that is there, a row that is locked) fails; the application's errors are its own.
"""
from typing import NamedTuple

import kinds
from names import literal

SESSIONS = 3
STYLES = ["SET DateStyle = 'German'", "SET TimeZone = 'Asia/Kathmandu'", "SET IntervalStyle = 'iso_8601'", "SET bytea_output = 'escape'",
          "SET extra_float_digits = -3", "SET search_path = pg_catalog", "SET search_path = odd, pg_temp", "SET array_nulls = off",
          "SET lc_monetary = 'C'", "SET transform_null_equals = on", "SET default_transaction_isolation = 'serializable'",
          "SET standard_conforming_strings = off", "SET quote_all_identifiers = on", "SET ROLE app", "SET session_replication_role = local",
          "SET plan_cache_mode = force_generic_plan", "SET xmloption = document", "SET role app; SET row_security = off"]


class Step(NamedTuple):
    session: int
    kind: str  # sql, copy, settle, deadlock, worker
    text: str


class Traffic:
    def __init__(self, rng, tables, merge):
        self.rng = rng
        self.tables = tables
        self.merge = merge  # whether the server has it
        self.names = 0
        self.levels = [0] * SESSIONS  # 0: no transaction; 1: one; more: savepoints
        self.prepared = []

    def chance(self, share):
        return self.rng.random() < share

    # values

    def near(self):
        return self.rng.choice(["1 s", "2 s", "3 s"])

    def date(self, table):
        if self.chance(0.1):
            return f"now() + interval '{self.near()}'"
        return self.rng.choice(kinds.FAR * 3 + kinds.PAST + kinds.EDGE)

    def value(self, table, column):
        if column is table.date:
            return f"CAST({self.date(table)} AS {column.kind.type})"
        if column not in table.key and self.chance(0.12):
            return "NULL"
        if column.more and self.chance(0.2):
            return "DEFAULT"
        return column.kind.value(self.rng)

    def typed(self, table, column):
        value = self.value(table, column)
        return f"CAST(NULL AS {column.kind.type.split(' COLLATE')[0]})" if value in ("NULL", "DEFAULT") else value

    def some(self, table):
        """A condition: which rows."""
        key = table.key[0]
        column = self.rng.choice([key, key, table.group, table.number, *[c for r in table.references for c in r.columns]])
        values = ", ".join(column.kind.value(self.rng) for _ in range(self.rng.randint(1, 4)))
        return self.rng.choice([f"{column.sql} IN ({values})"] * 6 + [f"{table.number.sql} % 4 = {self.rng.randrange(4)}"] * 2 + ["true"])

    # statements

    def insert(self, table, rows=None):
        columns = table.written
        listed = ", ".join(column.sql for column in columns)
        rows = [", ".join(self.value(table, column) for column in columns) for _ in range(rows or self.rng.randint(1, 4))]
        values = ", ".join(f"({row})" for row in rows)
        return f"INSERT INTO {table.sql} ({listed}) VALUES {values}"

    def upsert(self, table):
        keys = ", ".join(column.sql for column in table.key)
        action = self.rng.choice(["DO NOTHING", f"({keys}) DO UPDATE SET {self.changes(table)}"])
        return f"{self.insert(table)} ON CONFLICT {action}"

    def changes(self, table):
        columns = [column for column in table.written if column not in table.key]
        picked = self.rng.sample(columns, min(len(columns), self.rng.randint(1, 3)))
        if self.chance(0.12):
            picked = [self.rng.choice(table.key)]
        return ", ".join(f"{column.sql} = {self.change(table, column)}" for column in picked)

    def change(self, table, column):
        return f"{table.sql}.{column.sql}" if self.chance(0.05) else self.value(table, column)

    def update(self, table):
        return f"UPDATE {table.sql} SET {self.changes(table)} WHERE {self.some(table)}"

    def delete(self, table):
        return f"DELETE FROM {table.sql} WHERE {self.some(table)}"

    def truncate(self, table):
        if table.parts and self.chance(0.5):
            return f"TRUNCATE {self.rng.choice(table.parts)} CASCADE"
        return f"TRUNCATE {table.sql} {self.rng.choice(['CASCADE', 'RESTART IDENTITY CASCADE'])}"

    def together(self, table):
        """Several writes in one statement."""
        other = self.rng.choice(self.tables)
        first = self.rng.choice([self.delete(table), self.update(table), self.insert(table)])
        return f"WITH w AS ({first} RETURNING 1) {self.rng.choice([self.update(other), self.delete(other)])} AND (SELECT count(*) FROM w) >= 0"

    def merged(self, table):
        key = table.key[0]
        values = ", ".join(f"({key.kind.value(self.rng)})" for _ in range(3))
        columns = table.written
        row = ", ".join("s.v" if column is key else self.value(table, column) for column in columns)
        changes = self.changes(table).replace(f"= {table.sql}.", "= t.")
        return (f"MERGE INTO {table.sql} t USING (SELECT DISTINCT * FROM (VALUES {values}) d) s(v) ON t.{key.sql} = s.v"
                f" WHEN MATCHED AND t.{table.number.sql} = 3 THEN DELETE WHEN MATCHED THEN UPDATE SET {changes}"
                f" WHEN NOT MATCHED THEN INSERT ({', '.join(column.sql for column in columns)}) VALUES ({row})")

    def caught(self, table):
        """A subtransaction that is undone, and one that stays."""
        body = f"BEGIN {self.statement(table)}; RAISE EXCEPTION 'undone'; EXCEPTION WHEN OTHERS THEN {self.update(table)}; END"
        return f"DO {literal(body)}"

    def statement(self, table):
        makers = [self.insert] * 5 + [self.upsert] * 4 + [self.update] * 9 + [self.delete] * 2 + [self.together]
        if self.merge and not table.heir_of and not any(t.heir_of is table for t in self.tables):
            makers.append(self.merged)
        return self.rng.choice(makers)(table)

    # steps

    def copy(self, session, table):
        columns = table.written
        rows = " UNION ALL ".join("SELECT " + ", ".join(self.typed(table, column) for column in columns)
                                  for _ in range(self.rng.randint(1, 5)))
        return Step(session, "copy", f"{rows}\n\n\nCOPY {table.sql} ({', '.join(column.sql for column in columns)}) FROM STDIN")

    def begin(self, session):
        self.levels[session] = 1
        mode = self.rng.choice(["", "", "", "ISOLATION LEVEL REPEATABLE READ", "ISOLATION LEVEL SERIALIZABLE"])
        return Step(session, "sql", f"BEGIN {mode}")

    def within(self, session):
        """Savepoints, and the end of the transaction."""
        level = self.levels[session]
        kind = self.rng.choice(["save", "back", "release", "commit", "commit", "commit", "rollback", "prepare"])
        if kind == "save" or (level == 1 and kind in ("back", "release")):
            self.levels[session] += 1
            return Step(session, "sql", f"SAVEPOINT s{level}")
        if kind == "back":
            return Step(session, "sql", f"ROLLBACK TO s{level - 1}")
        if kind == "release":
            self.levels[session] -= 1
            return Step(session, "sql", f"RELEASE s{level - 1}")
        self.levels[session] = 0
        if kind == "prepare":
            self.names += 1
            self.prepared.append(f"p{self.names}")
            return Step(session, "sql", f"PREPARE TRANSACTION 'p{self.names}'")
        return Step(session, "sql", kind.upper())

    def step(self):
        session, table = self.rng.randrange(SESSIONS), self.rng.choice(self.tables)
        if self.levels[session] and self.chance(0.35):
            return self.within(session)
        if not self.levels[session] and self.prepared and self.chance(0.5):
            return Step(session, "sql", f"{self.rng.choice(['COMMIT', 'ROLLBACK'])} PREPARED '{self.prepared.pop()}'")
        if not self.levels[session] and self.chance(0.3):
            return self.begin(session)
        if not self.levels[session] and self.chance(0.06):
            return Step(session, "sql", self.rng.choice(STYLES))
        if self.chance(0.02):
            return self.emptied(session, table)
        if self.chance(0.05):
            return self.copy(session, table)
        if self.chance(0.06):
            return Step(session, "sql", self.caught(table))
        if self.chance(0.02):
            return Step(session, "deadlock", f"{self.update(table)}\n\n\n{self.update(self.rng.choice(self.tables))}")
        return Step(session, "sql", self.statement(table))

    def emptied(self, session, table):
        """Within a transaction it ends that: as long as it is open nobody can read the table."""
        tail = self.rng.choice(["COMMIT", "ROLLBACK"]) if self.levels[session] else ""
        self.levels[session] = 0
        return Step(session, "sql", f"{self.truncate(table)};{tail}")

    def fill(self):
        return [Step(0, "sql", self.insert(table, 1)) for table in self.tables for _ in range(12)]

    def end_all(self):
        """Sessions end what they began; the one that is spared keeps its transaction open while all else is compared."""
        spared = self.rng.randrange(SESSIONS) if self.chance(0.3) else -1
        for session in range(SESSIONS):
            if self.levels[session] and session != spared:
                self.levels[session] = 0
                yield Step(session, "sql", self.rng.choice(["COMMIT", "COMMIT", "ROLLBACK"]))

    def phase(self, count):
        steps = [self.step() for _ in range(count)]
        if self.chance(0.3):
            steps.insert(self.rng.randrange(count), Step(0, "worker", self.rng.choice(["kill", "stop", "once", "second", "hup"])))
        return steps + list(self.end_all()) + [Step(0, "settle", "")]
