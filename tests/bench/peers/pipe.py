"""The initial load without any daemon: psql emits Redis commands (RESP, with lengths computed in SQL) into redis-cli --pipe.

psql gets the whole answer before it writes; FETCH_COUNT, which would not, is five times slower: a cursor's plan is another.
"""
import shlex

EVENT = ["id", "name", "starts_at", "venue", "city", "tickets_left", "cheapest"]
TICKET = ["id", "event_id", "price", "sold", "seat", "event", "starts_at", "venue", "city"]
COLUMNS = {"event": EVENT, "ticket": TICKET}


def bulk(expression):
    """A value as RESP has it."""
    return f"'$' || octet_length({expression}) || E'\\r\\n' || {expression} || E'\\r\\n'"


def words(*constant):
    return "".join(f"${len(word)}\\r\\n{word}\\r\\n" for word in constant)


def statement(kind, queue, condition="true"):
    """One row for each document: HSET, EXPIREAT and, with a queue, LPUSH. psql's newline completes the last CR LF."""
    columns = COLUMNS[kind]
    fields = " || ".join(f"E'{words(name)}' || {bulk(name)}" for name in columns)
    date = "extract(epoch FROM starts_at_date)::bigint::text"
    commands = [f"E'*{2 + 2 * len(columns)}\\r\\n{words('HSET')}' || {bulk('key')} || {fields}",
                f"E'*3\\r\\n{words('EXPIREAT')}' || {bulk('key')} || {bulk(date)}"]
    if queue:
        commands.append(f"E'*3\\r\\n{words('LPUSH', queue)}' || {bulk('key')}")
    texts = ", ".join(f"{name}::text" for name in columns)
    return (f"SELECT rtrim({' || '.join(commands)}, E'\\n') FROM (SELECT '{kind}:' || id AS key, starts_at AS starts_at_date, "
            f"{texts} FROM {kind}_card WHERE {condition}) d")


def command(box, db, queue, conditions):
    """The shell command; conditions: of one pipe each, by kind."""
    pipes = []
    for condition in conditions:
        statements = [word for kind, where in condition.items() for word in ("-c", statement(kind, queue, where))]
        reads = ["psql", "-XAtq", *statements, box.db.conninfo()]
        writes = ["redis-cli", "-s", box.redis.socket, "-n", str(db), "--pipe"]
        pipes.append(f"{shlex.join(reads)} | {shlex.join(writes)} &")
    return "\n".join([*pipes, "wait"])
