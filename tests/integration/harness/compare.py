"""Compares every hash in Redis with its row in PostgreSQL, field by field.

The rows are read as COPY text, which is the output function's text of every type, under the settings
that the contract pins. Nothing is known here about how the programs do it.
"""
import io
import re
import time

LIMIT = 10  # differences that are reported
OURS = (b"_v", b"_d")
PINNED = """SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres';
            SET bytea_output = 'hex'; SET extra_float_digits = 1; SET client_encoding = 'UTF8'"""
_ESCAPE = re.compile(rb"\\(.)", re.S)
_CONTROL = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def differences(db, client, config):
    """Lines that say what differs, at most LIMIT; an empty list when all is equal."""
    found = []
    projections = config["projections"]
    rows = [expected(db, projection) for projection in projections.values()]
    keys = list(scan(client, projections))
    known = {key for documents in rows for key in documents}
    found += [f"{key.decode()}: a ghost, no row has it" for key in keys if key not in known]
    found += strays(client, projections, config)
    for documents in rows:
        found += different(client, documents)
    return found[:LIMIT] + ([f"… and {len(found) - LIMIT} more"] if len(found) > LIMIT else [])


# PostgreSQL

def quoted(name):
    return ".".join('"%s"' % part.replace('"', '""') for part in name.split("."))


def expiry(projection):
    """SQL: the moment in ms when the document ends, NULL for never."""
    if "expire_at" not in projection:
        return "NULL"
    grace = projection.get("expire_grace", "0")
    return f"extract(epoch FROM s.{quoted(projection['expire_at'])}::timestamptz + interval '{grace}') * 1000"


def unescape(cell):
    return None if cell == rb"\N" else _ESCAPE.sub(lambda found: _CONTROL.get(found[1], found[1]), cell)


def rows_of(db, projection):
    """Column names, and rows of bytes whose last cell is the expiry."""
    source = quoted(projection["source"])
    connection = db.connect(autocommit=True)
    with connection.cursor() as cursor:
        cursor.execute(PINNED)
        cursor.execute(f"SELECT * FROM {source} LIMIT 0")
        names = [column.name.encode() for column in cursor.description]
        text = io.BytesIO()
        cursor.copy_expert(f"COPY (SELECT s.*, {expiry(projection)} FROM {source} s) TO STDOUT", text)
    connection.close()
    lines = text.getvalue().split(b"\n")[:-1]
    return names, [[unescape(cell) for cell in line.split(b"\t")] for line in lines]


def rendered(template, row):
    return re.sub(rb"\{([^}]*)\}", lambda found: row[found[1]], template.encode())


def expected(db, projection):
    """{key: (fields, expiry in ms or None)} of all rows whose date is not past."""
    names, rows = rows_of(db, projection)
    now = time.time() * 1000
    documents = {}
    for *cells, moment in rows:
        row = dict(zip(names, cells))
        ends = None if moment in (None, b"Infinity") else float(moment)
        if ends is None or ends > now:
            fields = {name: cell for name, cell in row.items() if cell is not None and not name.startswith(b"_")}
            documents[rendered(projection["key"], row)] = (fields, ends)
    return documents


# Redis

def prefix(projection):
    return projection["key"].split("{")[0].encode()


def scan(client, projections):
    """The keys that look like a document of one of the projections."""
    prefixes = tuple(prefix(projection) for projection in projections.values())
    return (key for key in set(client.scan_iter(count=5000)) if key.startswith(prefixes))


def strays(client, projections, config):
    """Keys that nobody should have made."""
    queues = {queue for projection in projections.values() for queue in projection.get("queues", [])}
    known = [prefix(projection) for projection in projections.values()] + [b"pgusher:"]
    known += [queue.encode() for queue in queues | set(config.get("queues", {}))]
    keys = (key for key in client.scan_iter(count=5000) if not key.startswith(tuple(known)))
    return [f"{key.decode()}: a key of no contract" for key in keys]


def fetch(client, keys, size=5000):
    """(key, hash or the error, PEXPIRETIME) of each key."""
    for start in range(0, len(keys), size):
        part = keys[start:start + size]
        pipe = client.pipeline(transaction=False)
        for key in part:
            pipe.hgetall(key)
            pipe.execute_command("PEXPIRETIME", key)
        replies = pipe.execute(raise_on_error=False)
        yield from zip(part, replies[::2], replies[1::2])


def different(client, documents):
    lines = []
    for key, found, ends in fetch(client, list(documents)):
        lines += [f"{key.decode()}: {what}" for what in one(documents[key], found, ends)]
    return lines


def one(document, found, ends):
    """What is wrong with one hash."""
    fields, due = document
    if isinstance(found, Exception):
        return [str(found)]
    if not found:
        return ["missing"]
    return [*wrong_fields(fields, found), *wrong_marks(found), *wrong_expiry(due, ends)]


def wrong_fields(fields, found):
    for name in sorted(fields.keys() | found.keys() - set(OURS)):
        if fields.get(name) != found.get(name):
            yield f"field {name.decode()} is {short(found.get(name))}, the row has {short(fields.get(name))}"


def wrong_marks(found):
    if not re.fullmatch(rb"[1-9]\d*", found.get(b"_v", b"")):
        yield f"_v is {found.get(b'_v')}"
    if not found.get(b"_d"):
        yield "_d is missing"


def wrong_expiry(due, ends):
    if due is None and ends != -1:
        yield f"expires at {ends}, the row never does"
    if due is not None and abs(ends - due) > 1000:
        yield f"expires at {ends}, the row at {due:.0f}"


def short(value):
    return value if value is None or len(value) < 80 else value[:80] + b"..."
