-- The life of the changelog: four tables in turn, truncated when everybody has read them; its size is bounded even if nobody reads.

-- The latest moment at least that long ago; NULL when none is known.
CREATE OR REPLACE FUNCTION pgusher.moment_before(age interval) RETURNS pg_snapshot
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT m.snapshot FROM pgusher.moment m WHERE m.at <= clock_timestamp() - age ORDER BY m.at DESC LIMIT 1
$function$;

-- Notes the present, and forgets moments that nobody can ask for any more, or of the future: a restored dump brought them along, or the clock
-- was put back since.
CREATE OR REPLACE FUNCTION pgusher.note_moment() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    shortest CONSTANT interval := (SELECT min(least(f.look_back, f.max_lag_age)) FROM pgusher.fleet f);
BEGIN
    IF EXISTS (SELECT FROM pgusher.moment m WHERE m.at BETWEEN clock_timestamp() - shortest / 4 AND clock_timestamp()
                  AND pg_snapshot_xmax(m.snapshot) <= pg_snapshot_xmax(pg_current_snapshot())) THEN
        RETURN;
    END IF;
    DELETE FROM pgusher.moment m
     WHERE pg_snapshot_xmax(m.snapshot) > pg_snapshot_xmax(pg_current_snapshot()) OR m.at > clock_timestamp()
        OR m.at < (SELECT max(k.at) FROM pgusher.moment k
                    WHERE k.at <= clock_timestamp() - (SELECT max(greatest(f.look_back, f.max_lag_age)) FROM pgusher.fleet f));
    INSERT INTO pgusher.moment VALUES (clock_timestamp(), pg_current_snapshot()) ON CONFLICT DO NOTHING;
END
$function$;

-- An xid higher than any given before: that of a subtransaction that writes. (The xmax of a snapshot is not, it knows of transactions
-- that have ended only.)
CREATE OR REPLACE FUNCTION pgusher.fresh_xid() RETURNS xid8
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    mine CONSTANT bigint := pg_current_xact_id()::text::bigint;
    fresh bigint;
BEGIN
    BEGIN
        UPDATE pgusher.meta SET only_row = only_row RETURNING xmin::text::bigint INTO fresh;
    EXCEPTION WHEN division_by_zero THEN
        NULL; -- what has handlers is a subtransaction
    END;
    RETURN (mine + ((fresh - mine) & 4294967295))::text::xid8;
END
$function$;

-- Says where logging stops, and which table is written. Writers draw their seq before they look at the gauge, so if one of them
-- found the old stop reached, changelog_seq says so by now, and its xid is older than a fresh one: cursors that do
-- not see all up to now are worthless.
CREATE OR REPLACE FUNCTION pgusher.set_gauge(current integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    old_stop CONSTANT bigint := pgusher.last_value('pgusher.gauge') >> 2;
    ahead CONSTANT bigint := (SELECT coalesce(max(f.max_lag_rows), 10000000) FROM pgusher.fleet f);
    seq bigint;
    fresh xid8;
    seen pg_snapshot;
BEGIN
    PERFORM setval('pgusher.gauge', (pgusher.last_value('pgusher.changelog_seq') + ahead + 1) * 4 + current);
    seq := pgusher.last_value('pgusher.changelog_seq');
    fresh := pgusher.fresh_xid();
    seen := pg_current_snapshot();
    -- Of the future: a dump brought it from another server.
    IF pgusher.last_value('pgusher.dropped') > fresh::text::bigint THEN
        PERFORM setval('pgusher.dropped', 0);
    END IF;
    UPDATE pgusher.meta SET dropped_before = '1', horizon = seen
     WHERE pg_snapshot_xmax(horizon) > pg_snapshot_xmax(seen) OR dropped_before > fresh;
    UPDATE pgusher.meta SET dropped_before = fresh, horizon = seen
     WHERE old_stop > 0 AND seq >= old_stop OR pgusher.last_value('pgusher.dropped') >= dropped_before::text::bigint;
END
$function$;

-- What a change that is not logged leaves behind, in case that the server dies while somebody moves the stop.
CREATE OR REPLACE FUNCTION pgusher.note_dropped() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    me CONSTANT bigint := pg_current_xact_id()::text::bigint;
BEGIN
    IF pgusher.last_value('pgusher.dropped') <> me THEN
        PERFORM setval('pgusher.dropped', me);
    END IF;
END
$function$;

-- What a row shows in these columns, for triggers whose plans are of the types that columns had before. Only its text is used: to read it
-- as a row would run the checks of its domains, which others may own, with a trigger's rights.
CREATE OR REPLACE FUNCTION pgusher.row_keys(relation oid, shown text, names text[]) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    keys text[];
BEGIN
    WITH field AS (
        SELECT nr, match[1] AS quoted
          FROM regexp_matches(substr(shown, 2, length(shown) - 2) || ',', '("(?:[^"]|"")*"|[^",]*),', 'g') WITH ORDINALITY AS f (match, nr)
    ), columns AS (
        SELECT attname, row_number() OVER (ORDER BY attnum) AS nr
          FROM pg_attribute WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped
    )
    SELECT array_agg(CASE WHEN quoted LIKE '"%' THEN regexp_replace(substr(quoted, 2, length(quoted) - 2), '(["\\])\1', '\1', 'g')
                          ELSE nullif(quoted, '') END ORDER BY array_position(names, attname::text))
      INTO keys FROM columns JOIN field USING (nr) WHERE attname = ANY (names);
    IF cardinality(keys) IS DISTINCT FROM cardinality(names) THEN
        RAISE undefined_column USING MESSAGE = format('pgusher: a column of %s in table %s was renamed or dropped', names, relation::regclass),
                                     HINT = 'Run: pgusher install';
    END IF;
    RETURN keys;
END
$function$;

-- For a fleet that cannot resume: opens the log again. A fleet that reads all documents after every transaction up to
-- not_before has ended, and all changes from `done` on, misses nothing.
CREATE OR REPLACE FUNCTION pgusher.restart_log(OUT done pg_snapshot, OUT not_before xid8)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM pg_advisory_xact_lock(1885828470, 1);
    PERFORM pgusher.set_gauge((pgusher.last_value('pgusher.gauge') & 3)::integer);
    done := pg_current_snapshot();
    SELECT CASE WHEN pg_snapshot_xmin(done) < m.dropped_before
                THEN (m.dropped_before::text::bigint - 1)::text::xid8 ELSE '0' END
      INTO not_before FROM pgusher.meta m;
END
$function$;

-- Why a fleet is too far behind; NULL: it is not. A change is old when it was visible long ago: one that commits
-- late is news, and a canary is no change. Rows are counted by seq, among what began after `done`.
CREATE OR REPLACE FUNCTION pgusher.too_far_behind(fleet pgusher.fleet) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    past CONSTANT pg_snapshot := pgusher.moment_before(fleet.max_lag_age);
    stale CONSTANT bigint := pgusher.last_value('pgusher.changelog_seq') - fleet.max_lag_rows;
BEGIN
    IF EXISTS (SELECT FROM pgusher.cursor k WHERE k.fleet = fleet.name
                  AND CASE WHEN NOT pgusher.covers(k.done, past) THEN EXISTS (
                      SELECT FROM pgusher.unapplied(k) c
                       WHERE c.xid < pg_snapshot_xmax(past) AND pg_visible_in_snapshot(c.xid, past) AND c.capture > 0) END) THEN
        RETURN 'a change has waited for longer than max_lag.age, ' || fleet.max_lag_age;
    -- The first test is but one probe of the index.
    ELSIF EXISTS (SELECT FROM pgusher.cursor k WHERE k.fleet = fleet.name
                     AND CASE WHEN (SELECT seq FROM pgusher.first_after(k.done)) <= stale THEN EXISTS (
                         SELECT FROM pgusher.unapplied(k) c
                          WHERE c.xid >= pg_snapshot_xmax(k.done) AND c.seq <= stale) END) THEN
        RETURN 'more changes wait than max_lag.rows, ' || fleet.max_lag_rows;
    END IF;
    RETURN NULL;
END
$function$;

-- Cuts loose who is too far behind, so that its cursors hold the changelog no more, and says why. Who came back before anything that
-- it had not read was gone, and has caught up, holds the changelog again.
CREATE OR REPLACE FUNCTION pgusher.cut_loose() RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    fleet pgusher.fleet;
    why text;
    events text[] := '{}';
BEGIN
    FOR fleet IN SELECT * FROM pgusher.fleet LOOP
        why := pgusher.too_far_behind(fleet);
        IF why IS NOT NULL AND fleet.cut_at IS NULL THEN
            UPDATE pgusher.fleet f SET cut_at = now() WHERE f.name = fleet.name;
            events := events || format('fleet "%s" is cut loose and must backfill when it returns: %s', fleet.name, why);
        ELSIF why IS NULL AND (SELECT max(k.moved_at) > fleet.cut_at AND bool_and(pgusher.can_resume(k.done))
                                 FROM pgusher.cursor k WHERE k.fleet = fleet.name) THEN
            UPDATE pgusher.fleet f SET cut_at = NULL WHERE f.name = fleet.name;
            events := events || format('fleet "%s" is back and has caught up', fleet.name);
        END IF;
    END LOOP;
    RETURN events;
END
$function$;

-- Whether a log table holds nothing that `past` does not see (but what a restored dump brought from another database's future).
CREATE OR REPLACE FUNCTION pgusher.is_past(log regclass, past pg_snapshot) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    result boolean;
BEGIN
    EXECUTE format(
        'SELECT NOT EXISTS (SELECT FROM %s WHERE xid >= pg_snapshot_xmax($1) AND xid < pg_snapshot_xmax(pg_current_snapshot()))'
        ' AND NOT EXISTS (SELECT FROM %s WHERE xid = ANY (ARRAY(SELECT pg_snapshot_xip($1))))', log, log)
       INTO result USING past;
    RETURN result;
END
$function$;

-- Truncates the table if it can be had at once: nobody ever waits behind us. Readers have it for milliseconds, so a few tries
-- will do; a transaction that has written into it keeps it until its end.
CREATE OR REPLACE FUNCTION pgusher.try_truncate(log regclass, past pg_snapshot) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    FOR try IN 1 .. 10 LOOP
        EXIT WHEN EXISTS (SELECT FROM pg_locks l WHERE l.relation = log AND l.mode = 'RowExclusiveLock');
        BEGIN
            EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE NOWAIT', log);
            -- Whoever wrote into it has ended: now every row is seen.
            IF pgusher.is_past(log, past) THEN
                EXECUTE format('TRUNCATE ONLY %s', log);
                UPDATE pgusher.meta SET horizon = past WHERE NOT pgusher.covers(horizon, past);
            END IF;
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.002);
        END;
    END LOOP;
END
$function$;

CREATE OR REPLACE FUNCTION pgusher.is_empty(log regclass) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    result boolean;
BEGIN
    EXECUTE format('SELECT NOT EXISTS (SELECT FROM ONLY %s)', log) INTO result;
    RETURN result;
END
$function$;

-- Empties the tables that were visible for the look-back and that every fleet but those cut loose has left.
CREATE OR REPLACE FUNCTION pgusher.truncate_logs(look_back interval) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    current CONSTANT integer := pgusher.last_value('pgusher.gauge') & 3;
    past CONSTANT pg_snapshot := pgusher.moment_before(look_back);
    log regclass;
BEGIN
    IF past IS NULL OR EXISTS (
        SELECT FROM pgusher.cursor k JOIN pgusher.fleet f ON f.name = k.fleet
         WHERE f.cut_at IS NULL AND NOT pgusher.covers(k.done, past)) THEN
        RETURN;
    END IF;
    FOR n IN 0 .. 3 LOOP
        log := 'pgusher.changelog_' || n;
        IF n <> current AND NOT pgusher.is_empty(log) AND pgusher.is_past(log, past) THEN
            PERFORM pgusher.try_truncate(log, past);
        END IF;
    END LOOP;
END
$function$;

-- The table to write into: the next empty one when the current one is old or large, and for ever the current one while none is empty.
CREATE OR REPLACE FUNCTION pgusher.next_table(current integer, look_back interval) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    is_due boolean;
BEGIN
    EXECUTE format('SELECT at < clock_timestamp() - $1 / 2 OR pgusher.about_rows(%1$L) > 1000000'
                   '  FROM ONLY %1$s ORDER BY xid, seq LIMIT 1', 'pgusher.changelog_' || current)
       INTO is_due USING look_back;
    IF is_due THEN
        FOR n IN 1 .. 3 LOOP
            IF pgusher.is_empty('pgusher.changelog_' || (current + n) % 4) THEN
                RETURN (current + n) % 4;
            END IF;
        END LOOP;
    END IF;
    RETURN current;
END
$function$;

-- Wakes the owners of partitions in which nothing happens: a worker that is woken saves its cursor, and so lets go of the tables.
CREATE OR REPLACE FUNCTION pgusher.wake_quiet(age interval) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT pg_notify('pgusher', part::text) FROM (
        SELECT DISTINCT k.part FROM pgusher.cursor k JOIN pgusher.fleet f ON f.name = k.fleet
         WHERE f.cut_at IS NULL AND NOT pgusher.covers(k.done, pgusher.moment_before(age))) quiet
$function$;

-- Called by workers every few seconds until idle; only one at a time does something, the others get no events and go on. events: for the
-- log of whoever called. idle: the changelog is empty, there is nothing to do until something is logged.
CREATE OR REPLACE FUNCTION pgusher.upkeep(OUT events text[], OUT idle boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- As in pgusher.read_changes, for all that this calls.
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off
AS $function$
DECLARE
    look_back CONSTANT interval := (SELECT coalesce(max(f.look_back), '5 min') FROM pgusher.fleet f);
    max_lag CONSTANT bigint := (SELECT coalesce(max(f.max_lag_rows), 10000000) FROM pgusher.fleet f);
    gauge CONSTANT bigint := pgusher.last_value('pgusher.gauge');
    current CONSTANT integer := gauge & 3;
    next integer;
BEGIN
    events := '{}';
    idle := false;
    IF NOT pg_try_advisory_xact_lock(1885828470, 1) THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM pgusher.changelog) THEN
        PERFORM pgusher.note_moment();
        events := pgusher.cut_loose();
        PERFORM pgusher.truncate_logs(look_back);
        PERFORM pgusher.wake_quiet(look_back / 2);
    END IF;
    idle := NOT EXISTS (SELECT FROM pgusher.changelog);
    next := pgusher.next_table(current, look_back);
    IF next <> current OR (gauge >> 2) - pgusher.last_value('pgusher.changelog_seq') < max_lag * 15 / 16 THEN
        PERFORM pgusher.set_gauge(next);
    END IF;
END
$function$;
