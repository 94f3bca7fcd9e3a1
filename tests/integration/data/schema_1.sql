-- What version 1 of the schema was: `pgusher install --print` for one fleet and one table.
BEGIN;
SET LOCAL lock_timeout = '500ms';
SET LOCAL client_min_messages = warning;
SET LOCAL search_path = pg_catalog;
SELECT pg_advisory_xact_lock(1885828467, 1);
-- The schema pgusher: what capture writes and the fleets read. Run by `pgusher install` inside its transaction.
-- Plain SQL and PL/pgSQL; needs no superuser, no extension and no wal_level.

CREATE SCHEMA IF NOT EXISTS pgusher;

CREATE TABLE IF NOT EXISTS pgusher.meta (
    only_row       boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    schema_version integer NOT NULL,
    installed_at   timestamptz NOT NULL DEFAULT now()
);

-- What the keys of a changelog row are: the columns of a table, in order. A table whose key columns change gets
-- a new number, so that older rows keep their meaning.
CREATE TABLE IF NOT EXISTS pgusher.capture (
    id          smallint PRIMARY KEY,
    relation    regclass NOT NULL,
    key_columns text[] NOT NULL,
    UNIQUE (relation, key_columns)
);

-- One row for each changed row (two when a key column changed: the old and the new keys). keys is NULL after TRUNCATE.
-- xid decides which snapshot sees the row: see pgusher.read_changes.
CREATE TABLE IF NOT EXISTS pgusher.changelog (
    xid     xid8 NOT NULL DEFAULT pg_current_xact_id(),
    seq     bigint GENERATED ALWAYS AS IDENTITY (CACHE 1),
    at      timestamptz NOT NULL DEFAULT now(),
    capture smallint NOT NULL,
    keys    text[]
);
CREATE INDEX IF NOT EXISTS changelog_xid_seq ON pgusher.changelog (xid, seq);

-- A fleet's cursor: everything visible in `done` is applied, and, while `upto` is set, what `upto` sees beyond it up to
-- (at_xid, at_seq) too.
CREATE TABLE IF NOT EXISTS pgusher.fleet (
    name        text PRIMARY KEY,
    done        pg_snapshot NOT NULL DEFAULT pg_current_snapshot(),
    upto        pg_snapshot,
    at_xid      xid8 NOT NULL DEFAULT '0',
    at_seq      bigint NOT NULL DEFAULT 0,
    moved_at    timestamptz NOT NULL DEFAULT now(),
    search_path text NOT NULL DEFAULT current_setting('search_path')
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

CREATE TABLE IF NOT EXISTS pgusher.quarantine (
    fleet      text NOT NULL,
    projection text NOT NULL,
    key        text NOT NULL,
    error      text NOT NULL,
    first_at   timestamptz NOT NULL DEFAULT now(),
    last_at    timestamptz NOT NULL DEFAULT now(),
    attempts   integer NOT NULL DEFAULT 1,
    PRIMARY KEY (fleet, projection, key)
);

-- The next page of changes for a reader whose cursor is (done, upto, after_xid, after_seq), and the gate.
--
-- Reading: a batch is what became visible between two snapshots (as in PgQ): the rows that `upto` sees and `done` does
-- not. They stand in two index ranges: transactions that were in progress in `done`, and those that began
-- after it. So nothing that commits late is skipped, and a long transaction stalls nobody.
--
-- The gate: a reader that found nothing tries the exclusive lock; writers try it shared and keep it until after their
-- commit is visible, and notify only when they do not get it. So a reader that has the lock, and then reads
-- nothing with a newer snapshot, may sleep: whoever comes later will notify.
--
-- The first row says how it stands: state 'work' (rows follow; the gate is open), 'asleep' (nothing there, this session holds
-- the lock; wait for a notification), 'poll' (nothing there, but a writer is in the middle of something:
-- ask again soon). The rows that follow have state NULL.
CREATE OR REPLACE FUNCTION pgusher.read_changes(
    done pg_snapshot, INOUT upto pg_snapshot, after_xid xid8, after_seq bigint, max_rows integer, asleep boolean,
    OUT state text, OUT xid xid8, OUT seq bigint, OUT capture smallint, OUT keys text[])
RETURNS SETOF record LANGUAGE plpgsql
-- Right after a TRUNCATE, or a bulk load, the statistics are wrong; the index order is always right.
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    gate_class CONSTANT integer := 1885828467;
    gate CONSTANT integer := 0;
    page pgusher.changelog[];
    continuing CONSTANT boolean := upto IS NOT NULL;
BEGIN
    upto := coalesce(upto, pg_current_snapshot());
    page := pgusher.page(done, upto, after_xid, after_seq, max_rows);
    state := 'work';
    IF page = '{}' AND NOT continuing THEN
        IF NOT asleep AND pg_try_advisory_lock(gate_class, gate) THEN
            asleep := true;
            upto := pg_current_snapshot();
            page := pgusher.page(done, upto, after_xid, after_seq, max_rows);
        END IF;
        IF page = '{}' THEN
            state := CASE WHEN asleep THEN 'asleep' ELSE 'poll' END;
        END IF;
    END IF;
    IF asleep AND state = 'work' THEN
        PERFORM pg_advisory_unlock(gate_class, gate);
    END IF;
    RETURN NEXT;
    state := NULL;
    FOR i IN 1 .. cardinality(page) LOOP
        xid := page[i].xid;
        seq := page[i].seq;
        capture := page[i].capture;
        keys := page[i].keys;
        RETURN NEXT;
    END LOOP;
END
$function$;

-- One page in the order (xid, seq). Three ranges of the index, each without a row to skip: what is left of the transaction at
-- the cursor, those that `done` saw in progress, those that began after it.
CREATE OR REPLACE FUNCTION pgusher.page(
    done pg_snapshot, upto pg_snapshot, after_xid xid8, after_seq bigint, max_rows integer)
RETURNS pgusher.changelog[] LANGUAGE plpgsql
AS $function$
DECLARE
    running CONSTANT xid8[] := ARRAY(SELECT pg_snapshot_xip(upto));
    ended CONSTANT xid8[] := ARRAY(
        SELECT x FROM pg_snapshot_xip(done) x WHERE x <> ALL (running) AND x > after_xid);
BEGIN
    RETURN ARRAY(
        (SELECT c FROM pgusher.changelog c
          WHERE c.xid = after_xid AND c.seq > after_seq
          ORDER BY c.xid, c.seq LIMIT max_rows)
        UNION ALL
        (SELECT c FROM pgusher.changelog c
          WHERE c.xid = ANY (ended)
          ORDER BY c.xid, c.seq LIMIT max_rows)
        UNION ALL
        (SELECT c FROM pgusher.changelog c
          WHERE c.xid > after_xid AND c.xid >= pg_snapshot_xmax(done)
            AND c.xid < pg_snapshot_xmax(upto) AND c.xid <> ALL (running)
          ORDER BY c.xid, c.seq LIMIT max_rows)
        LIMIT max_rows);
END
$function$;
INSERT INTO pgusher.meta (schema_version) VALUES (1)
    ON CONFLICT (only_row) DO UPDATE SET schema_version = EXCLUDED.schema_version;
INSERT INTO pgusher.fleet (name, search_path) VALUES ('default', '"$user", public')
    ON CONFLICT (name) DO UPDATE SET search_path = EXCLUDED.search_path;
DELETE FROM pgusher.watch WHERE fleet = 'default';
INSERT INTO pgusher.watch (fleet, relation, key_columns, columns) VALUES ('default', 'public.doc', '{"id"}', '{"id","v"}');
INSERT INTO pgusher.capture (id, relation, key_columns) VALUES (1, 'public.doc', '{"id"}') ON CONFLICT (relation, key_columns) DO NOTHING;
CREATE OR REPLACE FUNCTION pgusher.capture_1() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO pgusher.changelog (capture, keys) VALUES (1, NULL);
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO pgusher.changelog (capture, keys) VALUES (1, ARRAY[OLD."id"::text]);
    ELSE
        INSERT INTO pgusher.changelog (capture, keys) VALUES (1, ARRAY[NEW."id"::text]);
        IF TG_OP = 'UPDATE' THEN
            IF ARRAY[OLD."id"::text] IS DISTINCT FROM ARRAY[NEW."id"::text] THEN
                INSERT INTO pgusher.changelog (capture, keys) VALUES (1, ARRAY[OLD."id"::text]);
            END IF;
        END IF;
    END IF;
    -- Not got: somebody sleeps and must be woken. Got: kept until this commit is visible.
    IF NOT pg_try_advisory_xact_lock_shared(1885828467, 0) THEN
        PERFORM pg_notify('pgusher', '');
    END IF;
    RETURN NULL;
END
$function$;
REVOKE ALL ON FUNCTION pgusher.capture_1() FROM PUBLIC;
CREATE OR REPLACE TRIGGER pgusher_change AFTER INSERT OR DELETE ON public.doc FOR EACH ROW EXECUTE FUNCTION pgusher.capture_1();
COMMENT ON TRIGGER pgusher_change ON public.doc IS 'pgusher 76687fe872c2d859';
CREATE OR REPLACE TRIGGER pgusher_update AFTER UPDATE ON public.doc FOR EACH ROW WHEN (pg_catalog.record_image_ne(ROW(OLD."id", OLD."v"), ROW(NEW."id", NEW."v"))) EXECUTE FUNCTION pgusher.capture_1();
COMMENT ON TRIGGER pgusher_update ON public.doc IS 'pgusher 19fb40673d340c8a';
CREATE OR REPLACE TRIGGER pgusher_truncate AFTER TRUNCATE ON public.doc FOR EACH STATEMENT EXECUTE FUNCTION pgusher.capture_1();
COMMENT ON TRIGGER pgusher_truncate ON public.doc IS 'pgusher a7c989510b70226c';
GRANT USAGE ON SCHEMA pgusher TO "postgres";
GRANT SELECT ON ALL TABLES IN SCHEMA pgusher TO "postgres";
GRANT UPDATE ON pgusher.fleet TO "postgres";
GRANT INSERT, UPDATE, DELETE ON pgusher.quarantine TO "postgres";
COMMIT;
