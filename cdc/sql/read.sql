-- How the changelog is read, and how a cursor is judged.

-- Whether `later` sees every transaction that `earlier` sees.
CREATE OR REPLACE FUNCTION pgusher.covers(later pg_snapshot, earlier pg_snapshot) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF pg_snapshot_xmax(later) < pg_snapshot_xmax(earlier) THEN
        RETURN false;
    ELSIF pg_snapshot_xmin(later) >= pg_snapshot_xmax(earlier) THEN
        RETURN true;
    END IF;
    RETURN NOT EXISTS (SELECT x FROM pg_snapshot_xip(later) x WHERE x < pg_snapshot_xmax(earlier)
                       EXCEPT SELECT pg_snapshot_xip(earlier));
END
$function$;

-- The last value of a sequence of ours, 0 when it was never used.
CREATE OR REPLACE FUNCTION pgusher.last_value(sequence regclass) RETURNS bigint
LANGUAGE sql VOLATILE
AS $function$
    SELECT coalesce(pg_sequence_last_value(sequence), 0)
$function$;

-- Whether every change that `done` does not see is still in the changelog. False after it was truncated beyond that, after
-- changes were not logged because nobody read them, and for a cursor of another database's future.
CREATE OR REPLACE FUNCTION pgusher.can_resume(done pg_snapshot) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN (SELECT pgusher.covers(done, m.horizon)
               AND pgusher.last_value('pgusher.dropped') < m.dropped_before::text::bigint
               AND pgusher.last_value('pgusher.changelog_seq') < pgusher.last_value('pgusher.gauge') >> 2
               AND pg_snapshot_xmax(done) <= pg_snapshot_xmax(pg_current_snapshot())
              FROM pgusher.meta m);
END
$function$;

-- The changes that this cursor has not applied.
CREATE OR REPLACE FUNCTION pgusher.unapplied(k pgusher.cursor) RETURNS SETOF pgusher.changelog
LANGUAGE sql STABLE
AS $function$
    SELECT c.* FROM pgusher.changelog c
     WHERE c.xid = ANY (ARRAY(SELECT pg_snapshot_xip(k.done))) AND c.part = k.part
       AND (k.upto IS NULL OR NOT pg_visible_in_snapshot(c.xid, k.upto) OR (c.xid, c.seq) > (k.at_xid, k.at_seq))
    UNION ALL
    SELECT c.* FROM pgusher.changelog c
     WHERE c.xid >= pg_snapshot_xmax(k.done) AND c.xid < pg_snapshot_xmax(pg_current_snapshot()) AND c.part = k.part
       AND (k.upto IS NULL OR NOT pg_visible_in_snapshot(c.xid, k.upto) OR (c.xid, c.seq) > (k.at_xid, k.at_seq))
$function$;

-- So many of the changes, of all partitions, that one at this cursor would not have applied; no canaries.
CREATE OR REPLACE FUNCTION pgusher.behind(k pgusher.cursor, max_rows integer) RETURNS TABLE (part smallint, at timestamptz)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN QUERY
    SELECT c.part, c.at FROM pgusher.changelog c
     WHERE c.xid = ANY (ARRAY(SELECT pg_snapshot_xip(k.done))) AND c.capture > 0
       AND (k.upto IS NULL OR NOT pg_visible_in_snapshot(c.xid, k.upto) OR (c.xid, c.seq) > (k.at_xid, k.at_seq))
    UNION ALL
    SELECT c.part, c.at FROM pgusher.changelog c
     WHERE c.xid >= pg_snapshot_xmax(k.done) AND c.xid < pg_snapshot_xmax(pg_current_snapshot()) AND c.capture > 0
       AND (k.upto IS NULL OR NOT pg_visible_in_snapshot(c.xid, k.upto) OR (c.xid, c.seq) > (k.at_xid, k.at_seq))
     LIMIT max_rows;
END
$function$;

-- A change of the first transaction that began after `done`, or nearly so, of any partition.
CREATE OR REPLACE FUNCTION pgusher.first_after(done pg_snapshot) RETURNS SETOF pgusher.changelog
LANGUAGE sql STABLE ROWS 1
AS $function$
    SELECT c.* FROM pgusher.changelog c
     WHERE c.xid >= pg_snapshot_xmax(done) AND c.xid < pg_snapshot_xmax(pg_current_snapshot())
     ORDER BY c.xid, c.seq LIMIT 1
$function$;

-- How many rows a log table holds; many are estimated by their sequence numbers.
CREATE OR REPLACE FUNCTION pgusher.about_rows(log regclass) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
AS $function$
DECLARE
    rows bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM (SELECT FROM ONLY %s LIMIT 10000) r', log) INTO rows;
    IF rows = 10000 THEN
        EXECUTE format('SELECT greatest($1, (SELECT seq FROM ONLY %1$s ORDER BY xid DESC, seq DESC LIMIT 1)'
                       '                  - (SELECT seq FROM ONLY %1$s ORDER BY xid, seq LIMIT 1))', log)
           INTO rows USING rows;
    END IF;
    RETURN rows;
END
$function$;

CREATE OR REPLACE FUNCTION pgusher.age_ms(at timestamptz) RETURNS bigint
LANGUAGE sql VOLATILE
AS $function$
    SELECT (date_part('epoch', clock_timestamp() - at) * 1000)::bigint
$function$;

-- The next page of changes of these partitions for a reader whose cursor is (done, upto, after_xid, after_seq), and their gates.
--
-- Reading: a batch is what became visible between two snapshots (as in PgQ): the rows that `upto` sees and `done` does
-- not. They stand in two index ranges: transactions that were in progress in `done`, and those that began
-- after it. So nothing that commits late is skipped, and a long transaction stalls nobody. upto NULL begins
-- a batch at a new snapshot; given, it reads on to that one, and never sleeps. The order is (xid, seq).
--
-- The gates, one for each partition of a fleet: a reader that found nothing tries the exclusive lock; writers try it shared and
-- keep it until after their commit is visible, and notify only when they do not get it. So a reader that has
-- the locks, and then reads nothing with a newer snapshot, may sleep: whoever comes later will notify.
-- A gate in `held` is not tried again, for locks of a session are counted.
--
-- The last row says how it stands: state 'work' (there may be rows before it; the gates are open), 'asleep' (nothing there,
-- this session holds the gates of all parts; wait for a notification), 'poll' (nothing there, but a writer is in the middle
-- of something, or sleep was not asked for: ask again soon), 'lost' (changes that this cursor has not read may be gone: the rows
-- before it are not all; the gates are open). gates: which are held now. The rows before it have state NULL; age_ms: of the change.
CREATE OR REPLACE FUNCTION pgusher.read_changes(
    done pg_snapshot, INOUT upto pg_snapshot, after_xid xid8, after_seq bigint, max_rows integer,
    number smallint, parts smallint[], held smallint[], may_sleep boolean,
    OUT state text, OUT gates smallint[], OUT age_ms bigint, OUT xid xid8, OUT seq bigint, OUT capture smallint, OUT keys text[])
RETURNS SETOF record LANGUAGE plpgsql ROWS 1
-- Right after a TRUNCATE, or a bulk load, the statistics are wrong; the index order is always right.
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    gate_class CONSTANT integer := 1885828467;
    continuing CONSTANT boolean := upto IS NOT NULL;
    running xid8[];
    ended xid8[];
    returned integer := 0;
    more integer;
BEGIN
    gates := held;
    LOOP
        IF NOT continuing THEN
            upto := pg_current_snapshot();
        END IF;
        running := ARRAY(SELECT pg_snapshot_xip(upto));
        ended := ARRAY(SELECT x FROM pg_snapshot_xip(done) x WHERE x <> ALL (running) AND x > after_xid);
        -- Three ranges of the index, each without a row to skip but other partitions'. What is left of the transaction at the cursor:
        IF after_xid > '0' THEN
            RETURN QUERY
            SELECT NULL::pg_snapshot, NULL::text, NULL::smallint[], pgusher.age_ms(c.at), c.xid, c.seq, c.capture, c.keys
              FROM pgusher.changelog c
             WHERE c.xid = after_xid AND c.seq > after_seq AND c.part = ANY (parts)
             ORDER BY c.xid, c.seq LIMIT max_rows;
            GET DIAGNOSTICS returned = ROW_COUNT;
        END IF;
        -- Those that `done` saw in progress:
        IF ended <> '{}' AND returned < max_rows THEN
            RETURN QUERY
            SELECT NULL::pg_snapshot, NULL::text, NULL::smallint[], pgusher.age_ms(c.at), c.xid, c.seq, c.capture, c.keys
              FROM pgusher.changelog c
             WHERE c.xid = ANY (ended) AND c.part = ANY (parts)
             ORDER BY c.xid, c.seq LIMIT max_rows - returned;
            GET DIAGNOSTICS more = ROW_COUNT;
            returned := returned + more;
        END IF;
        -- Those that began after it:
        IF returned < max_rows THEN
            RETURN QUERY
            SELECT NULL::pg_snapshot, NULL::text, NULL::smallint[], pgusher.age_ms(c.at), c.xid, c.seq, c.capture, c.keys
              FROM pgusher.changelog c
             WHERE c.xid > after_xid AND c.xid >= pg_snapshot_xmax(done)
               AND c.xid < pg_snapshot_xmax(upto) AND c.xid <> ALL (running) AND c.part = ANY (parts)
             ORDER BY c.xid, c.seq LIMIT max_rows - returned;
            GET DIAGNOSTICS more = ROW_COUNT;
            returned := returned + more;
        END IF;
        EXIT WHEN returned > 0 OR continuing OR NOT may_sleep OR gates <> held;
        gates := gates || ARRAY(
            SELECT p FROM unnest(parts) p
             WHERE CASE WHEN p <> ALL (held) THEN pg_try_advisory_lock(gate_class, number * 1024 + p) END);
        EXIT WHEN gates = held;
    END LOOP;
    -- What was truncated before this is known by now: asked after the rows were read.
    state := CASE WHEN NOT pgusher.can_resume(done) THEN 'lost'
                  WHEN returned > 0 OR continuing THEN 'work'
                  WHEN may_sleep AND gates @> parts THEN 'asleep'
                  ELSE 'poll' END;
    IF gates <> '{}' AND state IN ('work', 'lost') THEN
        PERFORM pg_advisory_unlock(gate_class, number * 1024 + p) FROM unnest(gates) p;
        gates := '{}';
    END IF;
    RETURN NEXT;
END
$function$;
