-- Signs of life of the fleets: what workers say of themselves, and the canaries. Nothing else depends on these; they wait for no lock.

-- Notes what a worker says of itself (NULL: it leaves), and forgets those that are gone. age: of the process.
CREATE OR REPLACE FUNCTION pgusher.note_worker(name text, host text, process integer, age interval, says jsonb) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms'
AS $function$
    DELETE FROM pgusher.worker w
     WHERE w.fleet = $1
       AND (w.seen_at < clock_timestamp() - interval '1 min' AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = w.backend)
            OR $5 IS NULL AND w.backend = pg_backend_pid());
    INSERT INTO pgusher.worker SELECT $1, $2, $3, pg_backend_pid(), clock_timestamp() - $4, clock_timestamp(), $5 WHERE $5 IS NOT NULL
        ON CONFLICT (fleet, host, pid) DO UPDATE SET backend = EXCLUDED.backend, started_at = EXCLUDED.started_at,
            seen_at = EXCLUDED.seen_at, state = EXCLUDED.state;
$function$;

-- Whether this session holds the gate itself, which for itself is open.
CREATE OR REPLACE FUNCTION pgusher.holds_gate(number smallint, part smallint) RETURNS boolean
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT EXISTS (SELECT FROM pg_locks l
                    WHERE l.locktype = 'advisory' AND l.pid = pg_backend_pid() AND l.mode = 'ExclusiveLock'
                      AND l.classid = 1885828467 AND l.objid::bigint = number * 1024 + part AND l.objsubid = 2)
$function$;

-- A canary is a change of nothing, of capture 0, which concerns one fleet only; its keys are the fleet's number, when it was sent in ms, and its
-- partition. It is logged as every change is (see cdc/capture_sql.c), but not where the log is nearly full: it must not use it up.
CREATE OR REPLACE FUNCTION pgusher.log_canary(number smallint, part smallint, sent_at timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    seq bigint;
BEGIN
    IF pgusher.last_value('pgusher.changelog_seq') + 1000 >= pgusher.last_value('pgusher.gauge') >> 2 THEN
        RETURN;
    END IF;
    seq := nextval('pgusher.changelog_seq');
    EXECUTE format('INSERT INTO pgusher.changelog_%s (seq, part, capture, keys) VALUES ($1, $2, 0, $3)',
                   pg_sequence_last_value('pgusher.gauge') & 3)
      USING seq, part, ARRAY[number::text, round(extract(epoch FROM sent_at) * 1000, 3)::text, part::text];
    IF pgusher.holds_gate(number, part) OR NOT pg_try_advisory_xact_lock_shared(1885828467, number * 1024 + part) THEN
        PERFORM pg_notify('pgusher', part::text);
    END IF;
END
$function$;

-- Sends the fleet's canary when it is time, whoever asks; gives the ms until it is time again. One that has not arrived is sent again
-- the same way: a partition that stands still must show. The next one goes the next way.
CREATE OR REPLACE FUNCTION pgusher.send_canary(number smallint, every interval) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms'
AS $function$
DECLARE
    present CONSTANT timestamptz := clock_timestamp();
    last timestamptz;
    way smallint;
BEGIN
    SELECT c.sent_at INTO last FROM pgusher.canary c JOIN pgusher.fleet f ON f.name = c.fleet WHERE f.number = send_canary.number;
    IF last <= present AND last > present - send_canary.every THEN
        RETURN ceil(extract(epoch FROM last + send_canary.every - present) * 1000);
    END IF;
    INSERT INTO pgusher.canary AS c (fleet, every, part, sent_at, waiting_since)
    SELECT f.name, send_canary.every, 0, present, present FROM pgusher.fleet f WHERE f.number = send_canary.number
        ON CONFLICT (fleet) DO UPDATE SET every = EXCLUDED.every, sent_at = EXCLUDED.sent_at,
            waiting_since = coalesce(c.waiting_since, EXCLUDED.sent_at),
            part = CASE WHEN c.waiting_since IS NULL THEN (c.part + 1) % (SELECT m.partitions FROM pgusher.meta m) ELSE c.part END
            WHERE c.sent_at IS NOT DISTINCT FROM last
    RETURNING c.part INTO way;
    IF FOUND THEN
        PERFORM pgusher.log_canary(send_canary.number, way, present);
    END IF;
    RETURN ceil(extract(epoch FROM send_canary.every) * 1000);
END
$function$;

-- A canary was found in the changelog and has been written into Redis. One that was sent before the one that is waited for is of no interest.
CREATE OR REPLACE FUNCTION pgusher.canary_arrived(number smallint, sent_ms numeric) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms'
AS $function$
    UPDATE pgusher.canary c
       SET waiting_since = NULL, arrived_at = clock_timestamp(),
           latency_ms = round(extract(epoch FROM clock_timestamp()) * 1000 - $2, 3)
      FROM pgusher.fleet f
     WHERE f.name = c.fleet AND f.number = $1 AND extract(epoch FROM c.waiting_since) * 1000 <= $2
$function$;

-- ---- for pgusher status (see status.sql) ----

CREATE OR REPLACE FUNCTION pgusher.seconds_since(moment timestamptz) RETURNS numeric
LANGUAGE sql VOLATILE
AS $function$
    SELECT round(extract(epoch FROM clock_timestamp() - moment), 3)
$function$;

-- The workers of a fleet: those that are there, by the locks they hold, with what they say of themselves; and those that are not, but were
-- within the last minute. On a standby nobody is.
CREATE OR REPLACE FUNCTION pgusher.workers(number smallint) RETURNS json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN CASE WHEN pg_is_in_recovery() THEN '[]' ELSE (
        SELECT coalesce(json_agg(
                   coalesce(w.state, '{}') - '{session_ms,partitions,last_error}'::text[] || jsonb_build_object(
                       'host', w.host, 'pid', w.pid, 'backend', coalesce(h.pid, w.backend), 'connected', h.pid IS NOT NULL,
                       'up_seconds', pgusher.seconds_since(w.started_at), 'seen_seconds_ago', pgusher.seconds_since(w.seen_at),
                       'idle', h.state LIKE 'idle%',
                       'session_seconds', round((w.state->>'session_ms')::numeric / 1000 + pgusher.seconds_since(w.seen_at), 3),
                       'parts', coalesce(h.parts, '{}'), 'gates_closed', coalesce(h.closed, 0),
                       'gate', CASE WHEN h.pid IS NULL THEN 'not connected'
                                    WHEN h.parts = '{}' THEN 'idle: others own all partitions'
                                    WHEN h.closed = cardinality(h.parts) THEN 'asleep'
                                    WHEN h.name LIKE '%(polling)' THEN 'polling: NOTIFY does not reach this worker'
                                    WHEN w.state->>'gate' LIKE 'polling%' THEN w.state->>'gate'
                                    ELSE 'awake' END,
                       'doing', ARRAY(
                           SELECT 'backfill of ' || b.projection
                             FROM pg_locks l JOIN pgusher.fleet f ON f.number = workers.number JOIN pgusher.backfill b ON b.fleet = f.name
                              AND l.objid::bigint = hashtext(b.fleet || '/' || b.projection
                                  || coalesce('/' || nullif(to_jsonb(b)->>'filter', ''), ''))::bigint & 4294967295
                            WHERE l.locktype = 'advisory' AND l.classid = 1885828471 AND l.pid = h.pid ORDER BY 1),
                       'last_error', w.state #>> '{last_error,text}',
                       'last_error_seconds_ago',
                       round((w.state #>> '{last_error,ms_ago}')::numeric / 1000 + pgusher.seconds_since(w.seen_at), 3))
                   ORDER BY w.host, w.pid), '[]')
          FROM (SELECT p.pid, array_remove(array_agg(o.part ORDER BY o.part), NULL) AS parts,
                       (SELECT count(*) FROM pg_locks l
                         WHERE l.locktype = 'advisory' AND l.pid = p.pid AND l.mode = 'ExclusiveLock' AND l.objsubid = 2
                           AND l.classid = 1885828467 AND l.objid::bigint >> 10 = number) AS closed,
                       a.application_name AS name, a.state
                  FROM pgusher.holders(number) p LEFT JOIN pgusher.holders(number) o ON o.pid = p.pid AND o.part IS NOT NULL
                  LEFT JOIN pg_stat_activity a ON a.pid = p.pid
                 WHERE p.part IS NULL GROUP BY p.pid, a.application_name, a.state) h
          FULL JOIN (SELECT w.* FROM pgusher.worker w JOIN pgusher.fleet f ON f.name = w.fleet
                      WHERE f.number = workers.number) w ON w.backend = h.pid
         WHERE h.pid IS NOT NULL OR w.seen_at > clock_timestamp() - interval '1 min') END;
END
$function$;

-- NULL: none was ever sent, or this is a standby.
CREATE OR REPLACE FUNCTION pgusher.canary(name text) RETURNS json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN CASE WHEN NOT pg_is_in_recovery() THEN (
        SELECT json_build_object(
                   'every_seconds', extract(epoch FROM c.every), 'part', c.part, 'latency_ms', c.latency_ms,
                   'arrived_seconds_ago', pgusher.seconds_since(c.arrived_at), 'sent_seconds_ago', pgusher.seconds_since(c.sent_at),
                   'waiting_seconds', pgusher.seconds_since(c.waiting_since))
          FROM pgusher.canary c WHERE c.fleet = name) END;
END
$function$;

-- Of which something is known. verified: the result of the last verify, as it stands in its table.
CREATE OR REPLACE FUNCTION pgusher.projections(name text) RETURNS json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN (
        SELECT coalesce(json_agg(json_build_object(
                   'projection', k.projection,
                   'quarantined', (SELECT count(*) FROM pgusher.quarantine q WHERE q.fleet = $1 AND q.projection = k.projection),
                   'broken_seconds_ago', pgusher.seconds_since(p.broken_at), 'error', p.error,
                   'stale', p.stale, 'stale_seconds_ago', pgusher.seconds_since(p.stale_at),
                   'swept_seconds_ago', pgusher.seconds_since(p.swept_to),
                   'verified', to_jsonb(v) - '{fleet,projection,at}'::text[]
                               || jsonb_build_object('seconds_ago', pgusher.seconds_since(v.at))) ORDER BY k.projection), '[]')
          FROM (SELECT q.projection FROM pgusher.quarantine q WHERE q.fleet = $1
                UNION SELECT p.name FROM pgusher.projection p WHERE p.fleet = $1
                UNION SELECT v.projection FROM pgusher.verified v WHERE v.fleet = $1) k
          LEFT JOIN pgusher.projection p ON p.fleet = $1 AND p.name = k.projection
          LEFT JOIN pgusher.verified v ON v.fleet = $1 AND v.projection = k.projection);
END
$function$;

-- This server. oldest_writer: the transaction that has longest kept a table of the changelog from being emptied.
CREATE OR REPLACE FUNCTION pgusher.server() RETURNS json
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT json_build_object(
        'version', current_setting('server_version'),
        'address', CASE WHEN inet_server_addr() IS NULL THEN 'a unix socket, port ' ELSE host(inet_server_addr()) || ':' END || current_setting('port'),
        'database', current_database(), 'in_recovery', pg_is_in_recovery(),
        'identity', (SELECT system_identifier FROM pg_control_system()) || '/' ||
                    CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END,
        'up_seconds', round(extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())),
        'notify_queue_usage', pg_notification_queue_usage(),
        'oldest_writer', (
            SELECT json_build_object('pid', l.pid, 'seconds', round(extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, x.prepared)), 3),
                                     'application', a.application_name, 'state', coalesce(a.state, 'prepared'), 'gid', x.gid)
              FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
              LEFT JOIN pg_prepared_xacts x ON l.pid IS NULL AND l.virtualtransaction = '-1/' || x.transaction
             WHERE l.relation IN ('pgusher.changelog_0'::regclass, 'pgusher.changelog_1'::regclass,
                                  'pgusher.changelog_2'::regclass, 'pgusher.changelog_3'::regclass)
               AND l.mode = 'RowExclusiveLock' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
             ORDER BY coalesce(a.xact_start, x.prepared) LIMIT 1))
$function$;
