-- How the workers of a fleet share its partitions. Owning a partition is a session-level advisory lock, so what a dead
-- worker owned is free when its session ends, and nobody has to agree on anything.

-- Who holds the presence lock (part NULL) and the partitions of a fleet.
CREATE OR REPLACE FUNCTION pgusher.holders(number smallint, OUT pid integer, OUT part smallint) RETURNS SETOF record
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT l.pid, CASE WHEN l.classid = 1885828468 THEN l.objid::bigint & 1023 END::smallint
      FROM pg_locks l
     WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND (l.classid = 1885828469 AND l.objid = number OR
            l.classid = 1885828468 AND l.objid::bigint >> 10 = number)
$function$;

-- Ends the sessions of a fleet that hold something but answer no more. Workers that share poll, so one that is idle for long hangs,
-- as does one to which the server cannot send. Only for who has polled long enough himself to have been noticed.
CREATE OR REPLACE FUNCTION pgusher.end_hung_peers(number smallint) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT pg_terminate_backend(a.pid)
      FROM pg_stat_activity a
     WHERE a.pid IN (SELECT h.pid FROM pgusher.holders(number) h WHERE h.pid <> pg_backend_pid())
       AND pg_has_role(a.usesysid, 'USAGE')
       AND (a.state LIKE 'idle%' AND a.state_change < clock_timestamp() - interval '3 s'
            OR a.wait_event = 'ClientWrite' AND a.query_start < clock_timestamp() - interval '15 s')
       AND EXISTS (SELECT FROM pg_stat_activity me WHERE me.pid = pg_backend_pid()
                      AND me.backend_start < clock_timestamp() - interval '3 s')
$function$;

-- For a session that holds the presence lock (1885828469, number) of its fleet. Workers are the holders of that lock, in the order
-- of their pid; each is due its quota. Takes free partitions up to it; gives none up, which is the worker's
-- business (see pgusher.release).
CREATE OR REPLACE FUNCTION pgusher.share(
    number smallint, OUT workers integer, OUT owned smallint[], OUT quota integer, OUT installed_at timestamptz)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    partitions integer;
    peers integer[];
    taken smallint[];
    rank integer;
    part smallint;
BEGIN
    PERFORM pgusher.end_hung_peers(number);
    SELECT m.partitions, m.installed_at INTO partitions, share.installed_at FROM pgusher.meta m;
    SELECT coalesce(array_agg(h.pid ORDER BY h.pid) FILTER (WHERE h.part IS NULL), '{}'),
           coalesce(array_agg(h.part) FILTER (WHERE h.part IS NOT NULL), '{}'),
           coalesce(array_agg(h.part) FILTER (WHERE h.pid = pg_backend_pid() AND h.part IS NOT NULL), '{}')
      INTO peers, taken, owned
      FROM pgusher.holders(number) h;
    workers := cardinality(peers);
    rank := array_position(peers, pg_backend_pid()) - 1;
    quota := CASE WHEN rank IS NULL THEN 0
                  ELSE partitions / workers + (rank < partitions % workers)::integer END;
    FOR i IN 0 .. partitions - 1 LOOP
        EXIT WHEN cardinality(owned) >= quota;
        -- Begin where nobody else is likely to.
        part := (i + rank * partitions / workers) % partitions;
        IF part <> ALL (taken) AND pg_try_advisory_lock(1885828468, number * 1024 + part) THEN
            owned := owned || part;
        END IF;
    END LOOP;
END
$function$;

-- Opens these gates, gives up these partitions, and says so to the fleet.
CREATE OR REPLACE FUNCTION pgusher.release(number smallint, parts smallint[], gates smallint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    PERFORM pg_advisory_unlock(1885828467, number * 1024 + gate) FROM unnest(gates) gate;
    PERFORM pg_advisory_unlock(1885828468, number * 1024 + part) FROM unnest(parts) part;
    PERFORM pg_notify('pgusher', 'fleet ' || number);
END
$function$;
