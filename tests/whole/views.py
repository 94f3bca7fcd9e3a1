"""Random projections: a view (or a table) over the tables, with the watches that cover it."""
from dataclasses import dataclass, field

import watches
from names import Names, literal, quoted
from watches import Route

PREFIXES = ["doc", "Ünï", "a b", "[x]*", "p%s", "{{t}}", "o'c", 'q"', "x\\y"]
SEPARATORS = [":", "/", "::", "}}", "--", " "]


@dataclass
class Projection:
    name: str
    source: str  # SQL
    config: dict
    ddl: list = field(default_factory=list)
    tables: list = field(default_factory=list)


class Views:
    def __init__(self, rng, builder):
        self.rng = rng
        self.tables = builder.tables
        self.schemas = builder.schemas
        self.names = builder.names

    def chance(self, share):
        return self.rng.random() < share

    def projection(self, number):
        """None when what came out cannot be configured."""
        draft = self.rng.choice([Rooted, Rooted, Rooted, Rooted, Grouped, Both, Bare])(self, number)
        return draft.build()


class Draft:
    """A view in the making: select list, FROM, WHERE, and the routes."""

    def __init__(self, views, number):
        self.views, self.rng, self.number = views, views.rng, number
        self.names = Names(self.rng)
        self.root = self.rng.choice([table for table in views.tables if not table.heir_of])
        self.ddl, self.select, self.joins, self.where, self.routes = [], [], [], [], []
        self.aliases = 0
        self.expire = None

    chance = Views.chance

    def alias(self):
        self.aliases += 1
        return f"t{self.aliases}"

    def put(self, expression, stem="f", bare=False):
        name = self.names.new(stem, bare)
        if self.chance(0.04) and not bare:
            name = "_" + watches_cut(name)
        self.select.append(f"{expression} AS {quoted(name)}")
        return name

    def route(self, table, columns, lookup=None):
        """Of the table, and of its heirs, which are read with it."""
        heirs = [heir for heir in self.views.tables if heir.heir_of is table]
        self.routes += [Route(each, tuple(columns), lookup) for each in (table, *heirs)]

    # expressions over one table

    def expression(self, alias, table):
        column = self.rng.choice(table.all)
        own = f"{alias}.{column.sql}"
        n = f"{alias}.{table.number.sql}"
        choices = [own, own, own, own, f"to_jsonb({own})", f"CASE WHEN {n} > 5 THEN {own} END", f"jsonb_build_object('k', {own}, 'n', {n})",
                   f"coalesce({own}::text, 'none')", f"ROW({own}, {n})::text", f"{n} + 1", f"NULLIF({own}::text, '')",
                   f"jsonb_build_array({own}, NULL, {literal('x y')})", f"nullif({n}, 3)", "''::text", f"({own} IS NULL)",
                   f"{n}::numeric / 8", f"xmlelement(name \"e\", {n})", f"ARRAY[{n}, NULL, 2]", f"date_trunc('day', {alias}.{table.date.sql})"
                   if "timestamp" in table.date.kind.type else own, f"{alias}::text" if self.chance(0.3) else own]
        return self.rng.choice(choices)

    def dates(self, alias, table):
        """expire_at, of a column or an expression."""
        if not self.chance(0.6):
            return
        own = f"{alias}.{table.date.sql}"
        kind = table.date.kind.type
        if kind.startswith("timestamptz"):
            own = self.rng.choice([own, own, f"{own} + interval '1 day'", f"CASE WHEN {alias}.{table.number.sql} <> 4 THEN {own} END",
                                   f"least({own}, timestamptz '9000-01-01 00:00:00+00')", f"{own} AT TIME ZONE 'UTC'"])
        self.expire = self.put(own, "ends")

    # the result

    def identify(self, ids, more=()):
        """The columns of id and key, in the configuration's way."""
        self.id_names = [self.put(expression, f"id{n}", bare=True) for n, expression in enumerate(ids)]
        self.more_names = [self.put(expression, f"m{n}", bare=True) for n, expression in enumerate(more)]

    def config(self, source_raw):
        columns = self.id_names + self.more_names
        self.rng.shuffle(columns)
        separator = self.rng.choice(SEPARATORS)
        prefix = self.rng.choice([each for each in PREFIXES if not (self.more_names and "*" in each)])
        key = f"{prefix}{self.number}:" + separator.join("{%s}" % name for name in columns)
        if self.chance(0.2):
            key += "/end"
        config = {"source": source_raw, "id": self.id_names if len(self.id_names) > 1 else self.id_names[0], "key": key}
        if self.more_names:
            config["rows"] = "many"
        if self.expire:
            config["expire_at"] = self.expire
            config["expire_grace"] = self.rng.choice(["0 s", "1 h", "10 days", "1500 ms"])
        config["queues"] = self.rng.choice([["{q1}"], ["{q1}", "{q2}"], ["plain q"], ["{q2}"]])
        return config

    def finish(self):
        """The view, maybe below another one."""
        columns = list(self.select)
        self.rng.shuffle(columns)
        body = f"SELECT {', '.join(columns)} FROM {' '.join(self.joins)}"
        if self.where:
            body += f" WHERE {' AND '.join(self.where)}"
        return self.wrap(body)

    def wrap(self, body):
        schema, name = self.rng.choice(self.views.schemas), self.views.names.new(f"v{self.number}")
        if self.chance(0.25):
            inner = f"{quoted('odd')}.{quoted(self.views.names.new(f'inner{self.number}'))}"
            self.ddl.append(f"CREATE VIEW {inner} AS {body}")
            body = f"SELECT * FROM {inner}" + self.rng.choice(["", " OFFSET 0", " WHERE true"])
        source = f"{quoted(schema)}.{quoted(name)}"
        self.ddl.append(f"CREATE VIEW {source} AS {body}")
        raw = name if schema == "public" and "." not in name else f"{schema}.{name}"
        watch = watches.merge(self.routes)
        if watch is None:
            return None
        return Projection(self.views.names.new(f"p{self.number}"), source, {**self.config(raw), "watch": watch}, self.ddl,
                          [route.table for route in self.routes])


def watches_cut(name):
    return name.encode()[:60].decode(errors="ignore")


class Bare(Draft):
    """The table itself, without a view."""

    def build(self):
        table = self.root
        if any(set("{}") & set(column.name) for column in table.key) or any(name.startswith("_") for name in names_of(table.key)):
            return None
        self.id_names, self.more_names = names_of(table.key), []
        if self.chance(0.5):
            self.expire = table.date.name
        self.route(table, table.key)
        return Projection(self.views.names.new(f"p{self.number}"), table.sql, {**self.config(table.raw), "watch": watches.merge(self.routes)},
                          [], [route.table for route in self.routes])


def names_of(columns):
    return [column.name for column in columns]


def listed(alias, columns):
    return ", ".join(f"{alias}.{column.sql}" for column in columns)


def equal(left, columns, right, others):
    return " AND ".join(f"{left}.{column.sql} = {right}.{other.sql}" for column, other in zip(columns, others))


class Rooted(Draft):
    """A row of the root is a document, with what it refers to and what refers to it; or several rows of one group."""

    def build(self):
        table, a = self.root, self.alias()
        self.many = not any(column.kind.twins for column in table.key) and self.chance(0.25)
        self.ids = [table.group] if self.many else table.key
        self.identify([f"{a}.{column.sql}" for column in self.ids], [f"{a}.{column.sql}" for column in table.key] if self.many else ())
        self.joins.append(f"{table.sql} {a}")
        self.route(table, self.ids)
        for _ in range(self.rng.randint(1, 5)):
            self.put(self.expression(a, table))
        self.dates(a, table)
        self.windowed = self.chance(0.15) and bool(table.references)
        for reference in table.references:
            if self.chance(0.6):
                self.parent(a, table, reference)
        for child in self.children(table):
            if self.chance(0.6):
                self.child(a, *child)
        if self.windowed:
            self.window(a, table)
        if self.chance(0.15):
            self.everywhere()
        if self.chance(0.3):
            self.where.append(self.rng.choice([f"{a}.{table.number.sql} <> 7", f"{a}.{table.number.sql} IS NOT NULL",
                                               f"{a}.{table.group.sql} IS NOT NULL", f"NOT ({a}.{table.number.sql} BETWEEN 2 AND 3)"]))
        return self.finish()

    def children(self, table):
        return [(child, reference) for child in self.views.tables for reference in child.references if reference.table is table]

    def ids_of(self, condition, joins="", alias="x"):
        return f"SELECT {listed(alias, self.ids)} FROM {self.root.sql} {alias} {joins} WHERE {condition}"

    def parent(self, a, table, reference):
        """What the row refers to, and maybe what that refers to."""
        b, other = self.alias(), reference.table
        join = "LEFT JOIN" if self.windowed or self.chance(0.7) else "JOIN"
        self.joins.append(f"{join} {other.sql} {b} ON {equal(a, reference.columns, b, other.key)}")
        for _ in range(self.rng.randint(1, 2)):
            self.put(self.expression(b, other), "p")
        self.route(other, other.key, self.ids_of(watches.matches("x", reference.columns)))
        for further in other.references:
            if self.chance(0.4):
                c = self.alias()
                self.joins.append(f"LEFT JOIN {further.table.sql} {c} ON {equal(b, further.columns, c, further.table.key)}")
                self.put(self.expression(c, further.table), "pp")
                join = f"JOIN {other.sql} y ON {equal('x', reference.columns, 'y', other.key)}"
                self.route(further.table, further.table.key, self.ids_of(watches.matches("y", further.columns), join))

    def child(self, a, child, reference):
        """What refers to the row: counted, listed, the first of them, whether there is one."""
        c = self.alias()
        on = equal(c, reference.columns, a, self.root.key)
        order, n = listed(c, child.key), f"{c}.{child.number.sql}"
        rows = f"FROM {child.sql} {c} WHERE {on}"
        value = self.expression(c, child)
        kind = self.rng.randrange(8)
        if kind == 0:
            self.put(f"(SELECT count(*) {rows})", "n")
        elif kind == 1:
            self.put(f"(SELECT jsonb_agg({value} ORDER BY {order}) {rows})", "all")
        elif kind == 2:
            self.put(f"(SELECT array_agg({n} ORDER BY {order}) FILTER (WHERE {n} > 2) {rows})", "some")
        elif kind == 3:
            d = self.alias()
            self.joins.append(f"LEFT JOIN LATERAL (SELECT {value} AS v, {n} AS n {rows} ORDER BY {order} LIMIT 1) {d} ON true")
            self.put(f"{d}.v", "first")
            self.put(f"{d}.n", "first_n")
        elif kind == 4:
            self.put(f"EXISTS (SELECT {rows} AND {n} = 3)", "any")
        elif kind == 5:
            d = self.alias()
            keys = ", ".join(f"{c}.{column.sql} AS k{i}" for i, column in enumerate(reference.columns))
            group = ", ".join(f"{c}.{column.sql}" for column in reference.columns)
            match = " AND ".join(f"{d}.k{i} = {a}.{column.sql}" for i, column in enumerate(self.root.key))
            self.joins.append(f"LEFT JOIN (SELECT {keys}, sum({n}) AS total, max({n}) AS most FROM {child.sql} {c} GROUP BY {group}) {d} ON {match}")
            self.put(f"{d}.total", "total")
            self.put(f"{d}.most", "most")
        elif kind == 6:
            self.put(f"(SELECT string_agg(({value})::text, ', ' ORDER BY {order}) {rows})", "text")
        else:
            self.put(f"ARRAY(SELECT {n} {rows} ORDER BY {order})", "list")
        if self.ids == self.root.key:
            self.route(child, reference.columns)
        else:
            self.route(child, reference.columns, self.ids_of(watches.matches("x", self.root.key)))

    def window(self, a, table):
        """Rows that refer to the same tell of each other. NULL refers to nothing."""
        reference = self.rng.choice(table.references)
        given = " AND ".join(f"{a}.{column.sql} IS NOT NULL" for column in reference.columns)
        over = f"OVER (PARTITION BY {listed(a, reference.columns)} ORDER BY {listed(a, table.key)} ROWS {{}})"
        n = f"{a}.{table.number.sql}"
        call = self.rng.choice([f"row_number() OVER (PARTITION BY {listed(a, reference.columns)} ORDER BY {listed(a, table.key)})",
                                f"lag({n}) OVER (PARTITION BY {listed(a, reference.columns)} ORDER BY {listed(a, table.key)})",
                                f"sum({n}) {over.format('BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING')}"])
        self.put(f"CASE WHEN {given} THEN {call} END", "w")
        self.route(table, reference.columns, self.ids_of(watches.matches("x", reference.columns)))

    def everywhere(self):
        """A table that all documents tell of."""
        table, b = self.rng.choice(self.views.tables), self.alias()
        n = f"{b}.{table.number.sql}"
        self.put(self.rng.choice([f"(SELECT count(*) FROM {table.sql} {b})", f"(SELECT max({n}) FROM {table.sql} {b})",
                                  f"(SELECT sum({n}) FROM ONLY {table.sql} {b})", f"(SELECT count(DISTINCT {n}) FROM {table.sql} {b})"]), "e")
        self.route(table, table.key, self.ids_of("@0::text[] IS NOT NULL" + "".join(
            f" AND @{n}::text[] IS NOT NULL" for n in range(1, len(table.key)))))


class Grouped(Draft):
    """A document for each value of a column."""

    def build(self):
        table, a = self.root, self.alias()
        columns = [table.group]
        if table.references and self.chance(0.3):
            columns = [column for column in table.references[0].columns if not column.kind.twins] or columns
        self.identify([f"{a}.{column.sql}" for column in columns])
        self.joins.append(f"{table.sql} {a}")
        order, n = listed(a, table.key), f"{a}.{table.number.sql}"
        for call in self.rng.sample(["count(*)", f"sum({n})", f"jsonb_agg({self.expression(a, table)} ORDER BY {order})",
                                     f"max({n}) FILTER (WHERE {n} < 9)", f"array_agg({n} ORDER BY {order})", f"bool_or({n} = 3)"], 3):
            self.put(call, "agg")
        if self.chance(0.4):
            self.expire = self.put(f"max({a}.{table.date.sql})", "ends")
        self.route(table, columns)
        if self.chance(0.3):
            self.where.append(f"{n} <> 2")
        self.group = f" GROUP BY {listed(a, columns)}" + self.rng.choice(["", " HAVING count(*) > 1"])
        return self.finish()

    def wrap(self, body):
        return super().wrap(body + self.group)


class Both(Draft):
    """Two tables in one view, told apart by a word; or the ids of one that the other one lacks."""

    def build(self):
        other = self.rng.choice([table for table in self.views.tables if not table.heir_of])
        self.identify(["k", "i"])
        self.put("n")
        at = None
        if self.chance(0.5) and other.date.kind.type == self.root.date.kind.type:
            at = self.expire = self.put("d", "ends")
        parts = []
        for word, table in (("a:", self.root), ("b", other)):
            key = "ROW(" + ", ".join(f"t.{column.sql}" for column in table.key) + ")::text"
            holes = ", ".join(f"@{n}::{column.kind.type}[]" for n, column in enumerate(table.key))
            names = ", ".join(f"c{n}" for n in range(len(table.key)))
            parts.append(f"SELECT {literal(word)}::text AS k, {key} AS i, t.{table.number.sql} AS n, t.{table.date.sql} AS d FROM {table.sql} t")
            values = ", ".join(f"unnest({hole})" for hole in holes.split(", "))
            self.route(table, table.key, f"SELECT {literal(word)}::text, ROW({names})::text FROM (SELECT {values}) u({names})")
            if self.root is other:
                break
        self.joins.append(f"({' UNION ALL '.join(parts)}) b" if at else "(" + " UNION ALL ".join(
            part.rsplit(", t.", 1)[0] + part[part.rindex(" FROM "):] for part in parts) + ") b")
        return self.finish()
