"""What Redis must hold, read by this test in its own way: a plain SELECT of each projection's source as COPY text. Of pgusher nothing is
used but what the manual says: the form of fields, keys and dates."""
import io
import re
import time

from harness import compare

PINNED = compare.PINNED + "; SET search_path = public; SET xmloption = content; SET lc_monetary = 'C'; SET xmlbinary = 'base64'"
OURS = (b"pgusher:", b"{q1}", b"{q2}", b"plain q")
MARGIN_MS = 1500  # behind a document's end, within which it may still be there
SOON_MS = 60000  # before it; so long may the comparison take on a machine that has much else to do


class Template:
    """A key template, rendered and turned back."""

    def __init__(self, text):
        parts = re.split(r"(\{\{|\}\}|\{[^{}]*\})", text)
        self.literals, self.columns = [b""], []
        for part in parts:
            if part in ("{{", "}}"):
                self.literals[-1] += part[:1].encode()
            elif part.startswith("{"):
                self.columns.append(part[1:-1].encode())
                self.literals.append(b"")
            else:
                self.literals[-1] += part.encode()

    def render(self, row):
        """The key; None when no document can have it: a column is NULL, or it would be turned back into something else."""
        values = [row[name] for name in self.columns]
        if None in values:
            return None
        key = b"".join(literal + value for literal, value in zip(self.literals, values)) + self.literals[-1]
        return key if self.invert(key) == values else None

    def invert(self, key):
        rest = key[len(self.literals[0]):len(key) - len(self.literals[-1])]
        values = []
        for separator in self.literals[1:-1]:
            value, _, rest = rest.partition(separator)
            values.append(value)
        return values + [rest]


def expiry(config):
    """SQL: ms since 1970, NULL for never."""
    if "expire_at" not in config:
        return "NULL::numeric"
    return f"extract(epoch FROM (s.{compare_quoted(config['expire_at'])})::timestamptz + interval '{config.get('expire_grace', '0')}') * 1000"


def compare_quoted(name):
    return '"' + name.replace('"', '""') + '"'


def rows_of(cursor, projection):
    cursor.execute(f"SELECT * FROM {projection.source} LIMIT 0")
    names = [column.name.encode() for column in cursor.description]
    text = io.BytesIO()
    cursor.copy_expert(f"COPY (SELECT s.*, {expiry(projection.config)} FROM {projection.source} s) TO STDOUT", text)
    return names, [[compare.unescape(cell) for cell in line.split(b"\t")] for line in text.getvalue().split(b"\n")[:-1]]


def documents(cursor, projection):
    """{key: (fields, ends in ms or None)} of every row, those whose date is past too."""
    names, rows = rows_of(cursor, projection)
    template = Template(projection.config["key"])
    ids = projection.config["id"] if isinstance(projection.config["id"], list) else [projection.config["id"]]
    found = {}
    for *cells, moment in rows:
        row = dict(zip(names, cells))
        key = template.render(row)
        if key is None or any(row[name.encode()] is None for name in ids):
            continue
        ends = {None: None, b"Infinity": None, b"-Infinity": 0.0}.get(moment) if moment in (None, b"Infinity", b"-Infinity") else float(moment)
        assert key not in found, f"the generator made two rows of the key {key}"
        found[key] = ({name: cell for name, cell in row.items() if cell is not None and not name.startswith(b"_")}, ends)
    return found


def read(db, projections):
    """{key: …} of all projections, as one snapshot shows them."""
    connection = db.connect(autocommit=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute(PINNED)
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            every = {}
            for projection in projections:
                every.update(documents(cursor, projection))
            return every
    finally:
        connection.close()


class Expected:
    """What stands, what may stand, at this moment."""

    def __init__(self, db, projections):
        now = time.time() * 1000
        self.documents = read(db, projections)
        ends = {key: ends for key, (_, ends) in self.documents.items() if ends is not None}
        self.maybe = {key for key, at in ends.items() if -MARGIN_MS < at - now < SOON_MS}
        self.past = {key for key, at in ends.items() if at <= now - MARGIN_MS}
        self.sure = self.documents.keys() - self.maybe - self.past

    def soon(self):
        """Whether a document is about to end."""
        return bool(self.maybe)

    def contents(self):
        return {key: self.documents[key][0] for key in self.sure}

    def differences(self, client):
        keys = {key for key in client.scan_iter(count=5000) if not key.startswith(OURS)}
        yield from (f"{name(key)}: no row has it" + (", its date is past" if key in self.past else "")
                    for key in sorted(keys - self.sure - self.maybe))
        for key, found, ends in compare.fetch(client, sorted(self.sure)):
            yield from (f"{name(key)}: {what}" for what in compare.one(self.documents[key], found, ends))


def name(key):
    return key.decode(errors="backslashreplace")
