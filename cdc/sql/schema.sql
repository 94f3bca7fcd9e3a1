-- The schema pgusher, version 2: what capture writes and the fleets read. Run by `pgusher install` inside its
-- transaction, followed by read.sql, share.sql, upkeep.sql and signs.sql, which hold the functions.
-- Plain SQL and PL/pgSQL; needs no superuser, no extension and no wal_level.

-- CREATE SCHEMA needs a right on the database, even if there is nothing to create.
DO $$
BEGIN
    IF to_regnamespace('pgusher') IS NULL THEN
        CREATE SCHEMA pgusher;
    END IF;
END$$;

-- Programs whose own version is between oldest_program and schema_version work with this schema.
-- horizon: the changes that this snapshot sees may be gone from the changelog. Changes of transactions before
-- dropped_before may never have been logged, because nobody read for too long (see pgusher.gauge).
CREATE TABLE IF NOT EXISTS pgusher.meta (
    only_row       boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    schema_version integer NOT NULL,
    installed_at   timestamptz NOT NULL DEFAULT now(),
    oldest_program integer NOT NULL DEFAULT 2,
    partitions     smallint NOT NULL DEFAULT 16 CHECK (partitions BETWEEN 1 AND 256),
    horizon        pg_snapshot NOT NULL DEFAULT '1:1:',
    dropped_before xid8 NOT NULL DEFAULT '1'
);

-- What the keys of a changelog row are: the columns of a table, in order. A table whose key columns change gets
-- a new number, so that older rows keep their meaning.
CREATE TABLE IF NOT EXISTS pgusher.capture (
    id          smallint PRIMARY KEY,
    relation    regclass NOT NULL,
    key_columns text[] NOT NULL,
    UNIQUE (relation, key_columns)
);

CREATE SEQUENCE IF NOT EXISTS pgusher.changelog_seq;

-- One row for each changed row (two when a key column changed: the old and the new keys). keys is NULL after TRUNCATE.
-- xid decides which snapshot sees the row: see pgusher.read_changes. part is a slice of the documents: a worker
-- reads the slices it owns.
--
-- Readers read pgusher.changelog. Writers insert into one of the four tables behind it, in turn, and pgusher.upkeep
-- truncates a table that everybody has read: nothing is ever deleted row by row.
CREATE TABLE IF NOT EXISTS pgusher.changelog (
    xid     xid8 NOT NULL DEFAULT pg_current_xact_id(),
    seq     bigint NOT NULL,
    at      timestamptz NOT NULL DEFAULT now(),
    part    smallint NOT NULL,
    capture smallint NOT NULL,
    keys    text[]
);
-- CREATE INDEX would wait for writers, even if there is nothing to create.
DO $$
DECLARE
    log text;
BEGIN
    FOREACH log IN ARRAY '{changelog,changelog_0,changelog_1,changelog_2,changelog_3}'::text[] LOOP
        IF to_regclass('pgusher.' || log) IS NULL THEN
            EXECUTE format('CREATE TABLE pgusher.%s () INHERITS (pgusher.changelog)', log);
        END IF;
        IF to_regclass('pgusher.' || log || '_xid_seq') IS NULL THEN
            EXECUTE format('CREATE INDEX %1$s_xid_seq ON pgusher.%1$s (xid, seq)', log);
        END IF;
    END LOOP;
END$$;

-- What every writer asks for each row, so it must cost no query: the last value is stop_at * 4 + the number of the table
-- to write into. A change whose seq is not below stop_at is not logged: no worker of any fleet has moved
-- stop_at for so many changes, and the disk must not fill.
CREATE SEQUENCE IF NOT EXISTS pgusher.gauge MINVALUE 0;
-- The xid of a transaction whose change was not logged, the latest one or nearly so.
CREATE SEQUENCE IF NOT EXISTS pgusher.dropped MINVALUE 0;

-- number * 1024 + partition names this fleet's advisory locks. epoch and identity: how often the history of the database
-- changed under this fleet, and which one it is now. dataset: of which contents of Redis its cursors speak.
-- cut_at: it stayed behind for longer than max_lag, its cursors hold the changelog no more.
CREATE TABLE IF NOT EXISTS pgusher.fleet (
    name         text PRIMARY KEY,
    search_path  text NOT NULL DEFAULT current_setting('search_path'),
    number       smallint NOT NULL UNIQUE CHECK (number >= 0),
    epoch        integer NOT NULL DEFAULT 0,
    identity     text,
    dataset      text,
    look_back    interval NOT NULL DEFAULT '5 min',
    max_lag_rows bigint NOT NULL DEFAULT 10000000,
    max_lag_age  interval NOT NULL DEFAULT '1 day',
    cut_at       timestamptz
) WITH (fillfactor = 50);

-- Where a fleet is in a partition: everything visible in `done` is applied, and, while `upto` is set, what `upto` sees
-- beyond it up to (at_xid, at_seq) too.
CREATE TABLE IF NOT EXISTS pgusher.cursor (
    fleet    text NOT NULL REFERENCES pgusher.fleet ON DELETE CASCADE,
    part     smallint NOT NULL,
    done     pg_snapshot NOT NULL DEFAULT pg_current_snapshot(),
    upto     pg_snapshot,
    at_xid   xid8 NOT NULL DEFAULT '0',
    at_seq   bigint NOT NULL DEFAULT 0,
    moved_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (fleet, part)
) WITH (fillfactor = 50);

-- Documents that must be written though nothing in the changelog says so; a row is gone when all of a projection's are.
-- filter: only those for which this condition over the source is true; '': all. repair: also remove what has no row any more. phase
-- 'keys': that is under way; 'cancelled': whoever comes first puts it away. position: the id of the last document done, in phase 'keys'
-- where the walk through Redis is. total: how many there may be. rate: documents a second at most; NULL: as fast as it goes. It may begin
-- once every transaction up to not_before ended, and not before next_at, when it failed with this error.
CREATE TABLE IF NOT EXISTS pgusher.backfill (
    fleet      text NOT NULL REFERENCES pgusher.fleet ON DELETE CASCADE,
    projection text NOT NULL,
    filter     text NOT NULL DEFAULT '',
    reason     text NOT NULL,
    repair     boolean NOT NULL DEFAULT false,
    phase      text NOT NULL DEFAULT 'rows' CHECK (phase IN ('rows', 'keys', 'cancelled')),
    position   text[],
    documents  bigint NOT NULL DEFAULT 0,
    total      bigint,
    rate       integer,
    paused     boolean NOT NULL DEFAULT false,
    error      text,
    next_at    timestamptz,
    not_before xid8 NOT NULL DEFAULT '0',
    asked_at   timestamptz NOT NULL DEFAULT now(),
    moved_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (fleet, projection, filter)
) WITH (fillfactor = 50);

-- What each fleet needs to hear of: the key columns its watches name, and the columns whose change matters
-- (NULL: all). The triggers are the union over the fleets.
CREATE TABLE IF NOT EXISTS pgusher.watch (
    fleet       text NOT NULL REFERENCES pgusher.fleet ON DELETE CASCADE,
    relation    regclass NOT NULL,
    key_columns text[] NOT NULL,
    columns     text[],
    PRIMARY KEY (fleet, relation)
);

-- What cannot be built. id: the document's (NULL: what the key turns back into); of a lookup that fails for one changed row of
-- the table `watch` the values of that watch's columns. At next_at it is tried again.
CREATE TABLE IF NOT EXISTS pgusher.quarantine (
    fleet      text NOT NULL,
    projection text NOT NULL,
    key        text NOT NULL,
    watch      text,
    id         text[],
    error      text NOT NULL,
    first_at   timestamptz NOT NULL DEFAULT now(),
    last_at    timestamptz NOT NULL DEFAULT now(),
    attempts   integer NOT NULL DEFAULT 1,
    next_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (fleet, projection, key)
);
CREATE INDEX IF NOT EXISTS quarantine_due ON pgusher.quarantine (fleet, next_at);

-- What the last comparison of a projection with Redis found; different counts whatever else is wrong with a hash, too;
-- waiting, what differed while changes or a backfill waited for a worker.
CREATE TABLE IF NOT EXISTS pgusher.verified (
    fleet      text NOT NULL REFERENCES pgusher.fleet ON DELETE CASCADE,
    projection text NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    took_ms    bigint NOT NULL,
    sampled    boolean NOT NULL,
    compared   bigint NOT NULL,
    missing    bigint NOT NULL,
    ghosts     bigint NOT NULL,
    different  bigint NOT NULL,
    expiry     bigint NOT NULL,
    repaired   bigint NOT NULL,
    waiting    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (fleet, projection)
) WITH (fillfactor = 50);

-- What pgusher.upkeep saw, and when: it knows by these what has been visible to everybody for how long.
CREATE TABLE IF NOT EXISTS pgusher.moment (
    at       timestamptz PRIMARY KEY,
    snapshot pg_snapshot NOT NULL
);

-- One row per projection that a worker of a fleet has run. shape: how its documents look. stale: what must be done, since stale_at,
-- because documents that stand looked otherwise; see cdc/shapes.h. swept_to: the queues were told of every document whose date, with the
-- grace, is before. broken_at, error: since when its documents cannot be read at all, and why.
CREATE TABLE IF NOT EXISTS pgusher.projection (
    fleet     text NOT NULL REFERENCES pgusher.fleet ON DELETE CASCADE,
    name      text NOT NULL,
    shape     jsonb,
    swept_to  timestamptz,
    broken_at timestamptz,
    error     text,
    stale     text,
    stale_at  timestamptz,
    PRIMARY KEY (fleet, name)
) WITH (fillfactor = 50);

-- Key templates whose keys may still stand in Redis though no projection writes them any more. id: the columns of the
-- documents' id.
CREATE TABLE IF NOT EXISTS pgusher.former (
    fleet      text NOT NULL REFERENCES pgusher.fleet ON DELETE CASCADE,
    projection text NOT NULL,
    key        text NOT NULL,
    id         text[] NOT NULL,
    PRIMARY KEY (fleet, projection, key)
);

-- What each worker says of itself (see pgusher.note_worker), for people: nothing depends on it, and a crash may empty it. backend: its
-- session's pid here.
CREATE UNLOGGED TABLE IF NOT EXISTS pgusher.worker (
    fleet      text NOT NULL REFERENCES pgusher.fleet ON DELETE CASCADE,
    host       text NOT NULL,
    pid        integer NOT NULL,
    backend    integer NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    state      jsonb NOT NULL,
    PRIMARY KEY (fleet, host, pid)
) WITH (fillfactor = 50);

-- The canary of each fleet (see pgusher.send_canary). waiting_since: when the one was sent that has not arrived yet. part: which way it goes;
-- the rest is about the last that arrived.
CREATE UNLOGGED TABLE IF NOT EXISTS pgusher.canary (
    fleet         text PRIMARY KEY REFERENCES pgusher.fleet ON DELETE CASCADE,
    every         interval NOT NULL,
    part          smallint NOT NULL,
    sent_at       timestamptz NOT NULL,
    waiting_since timestamptz,
    arrived_at    timestamptz,
    latency_ms    numeric
) WITH (fillfactor = 50);
