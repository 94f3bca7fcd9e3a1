"""Changes of the schema that a running pgusher is to live with, each followed by what the manual says is to be done after it."""
from names import quoted
from traffic import Step

INSTALL = Step(0, "tool", "install")
REPAIR = Step(0, "tool", "verify --repair")


class Changes:
    def __init__(self, rng, builder, projections):
        self.rng = rng
        self.tables = builder.tables
        self.projections = projections
        self.count = 0

    def steps(self):
        """All sessions must have ended: a table that is locked cannot be altered."""
        self.count += 1
        return self.rng.choice([self.add_column, self.drop_added, self.replace_view, self.same_view, self.detach, self.detach, self.unseen,
                                self.alter_type, self.rename])()

    def sql(self, *texts):
        return [Step(-1, "sql", text) for text in texts]

    def add_column(self):
        table = self.rng.choice([table for table in self.tables if not table.heir_of])
        name = quoted(f"added {self.count}")
        return self.sql(f"ALTER TABLE {table.sql} ADD COLUMN {name} text DEFAULT 'new'") + [Step(0, "tool", "backfill --wait")]

    def drop_added(self):
        table = self.rng.choice([table for table in self.tables if not table.heir_of])
        return self.sql(f"ALTER TABLE {table.sql} ADD COLUMN gone int", f"ALTER TABLE {table.sql} DROP COLUMN gone")

    def views(self):
        return [projection for projection in self.projections if projection.ddl]

    def replace_view(self):
        """One column more."""
        if not self.views():
            return []
        projection = self.rng.choice(self.views())
        body = projection.ddl[-1].split(" AS ", 1)[1]
        name = quoted(f"more {self.count}")
        statement = f"CREATE OR REPLACE VIEW {projection.source} AS SELECT w.*, 'm'::text AS {name} FROM ({body}) w"
        projection.ddl.append(statement)
        return self.sql(statement) + [INSTALL, Step(0, "tool", "backfill --wait")]

    def same_view(self):
        """Dropped and created anew, in one transaction."""
        if not self.views():
            return []
        projection = self.rng.choice(self.views())
        return self.sql(f"BEGIN; DROP VIEW {projection.source}; {projection.ddl[-1]}; COMMIT") + [INSTALL, REPAIR]

    def detach(self):
        """A partition leaves, and maybe comes back."""
        tables = [table for table in self.tables if len(table.parts) > 1]
        if not tables:
            return []
        table = self.rng.choice(tables)
        part = table.parts.pop()
        steps = self.sql(f"ALTER TABLE {table.sql} DETACH PARTITION {part}") + [INSTALL, REPAIR]
        if self.rng.random() < 0.6:
            table.parts.append(part)
            steps += [Step(0, "settle", ""), *self.sql(f"ALTER TABLE {table.sql} ATTACH PARTITION {part} {table.bounds[part]}"), INSTALL, REPAIR]
        return steps

    def alter_type(self):
        """A column that is no key gets another type, where no view stands in the way."""
        table = self.rng.choice([table for table in self.tables if not table.heir_of])
        column = self.rng.choice([column for column in table.columns if column.kind.type == "text"] or [None])
        if column is None:
            return []
        return self.sql(f"ALTER TABLE {table.sql} ALTER COLUMN {column.sql} TYPE varchar(500)") + [INSTALL]

    def rename(self):
        """A column that is no key; views follow it by themselves, a table that is a source shows it."""
        table = self.rng.choice([table for table in self.tables if not table.heir_of])
        columns = [column for column in table.columns if column.written and column not in (table.date, table.group)
                   and not any(column in reference.columns for reference in table.references)]
        column, before = self.rng.choice(columns), None
        before, column.name = column.sql, f"renamed {self.count}"
        return self.sql(f"ALTER TABLE {table.sql} RENAME COLUMN {before} TO {column.sql}") + [Step(0, "tool", "backfill --wait")]

    def unseen(self):
        """Changes that triggers are told not to see."""
        table = self.rng.choice(self.tables)
        return self.sql(f"BEGIN; SET LOCAL session_replication_role = replica; UPDATE {table.sql} SET {table.number.sql} = 8; COMMIT") + [REPAIR]
