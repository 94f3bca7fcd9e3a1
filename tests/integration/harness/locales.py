"""Events in 34 locales: one id, many rows."""
from .box import projection

LOCALES = 34

SCHEMA = f"""
    CREATE TABLE locale (code text PRIMARY KEY);
    CREATE TABLE happening (id int PRIMARY KEY, name text, at timestamptz);
    CREATE TABLE translation (happening int, code text, title text, PRIMARY KEY (happening, code));
    CREATE VIEW happening_card AS
        SELECT h.id, l.code AS locale, coalesce(t.title, h.name) AS title, h.at
        FROM happening h CROSS JOIN locale l LEFT JOIN translation t ON t.happening = h.id AND t.code = l.code;
    INSERT INTO locale SELECT 'l' || n FROM generate_series(1, {LOCALES}) n;
    INSERT INTO happening SELECT n, 'event ' || n FROM generate_series(1, 9) n"""

WATCH = {"happening": "id", "translation": "happening",
         "locale": {"column": "code", "lookup": "SELECT id FROM happening WHERE $1::text[] IS NOT NULL"}}


def projections(**more):
    return {"happening": projection("happening_card", WATCH, key="happening:{id}:{locale}", rows="many",
                                    queues=["{search}"], **more)}


def everywhere(code):
    """The keys of this locale."""
    return sorted(f"happening:{number}:{code}" for number in range(1, 10))


def keys(box, pattern="happening:*"):
    return {key.decode() for key in box.redis.client.scan_iter(pattern, count=5000)}


def index_key(number):
    return f"pgusher:rows:happening:{number}:*"


def indexed(box, number):
    return {key.decode() for key in box.redis.client.hkeys(index_key(number))}


def take_queued(box):
    """What is queued in either lane; nothing is afterwards."""
    client = box.redis.client
    items = client.lrange("{search}", 0, -1) + client.zrange("{search}:later", 0, -1)
    for key in list(client.scan_iter("{search}*", count=5000)):
        client.delete(key)
    return sorted(item.decode() for item in items)


def prepare(box):
    """Installed and filled; no worker."""
    box.db.sql(SCHEMA)
    box.use(projections())
    box.install()
    box.pgusher("backfill").must(0)
    take_queued(box)


def follow(box):
    """A worker that has caught up, so that what is unchanged is not queued any more."""
    worker = box.start()
    box.until_asleep()
    box.db.sql("INSERT INTO happening VALUES (0); DELETE FROM happening WHERE id = 0")
    box.in_step()
    box.until_asleep()
    take_queued(box)
    return worker
