-- Signs of life of the fleets: what workers say of themselves, and the canaries. Nothing else depends on these; they wait for no lock.

-- Notes what a worker says of itself, and forgets those that are gone. age: of the process.
CREATE OR REPLACE FUNCTION pgusher.note_worker(name text, host text, process integer, age interval, says jsonb) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms'
AS $function$
    DELETE FROM pgusher.worker w
     WHERE w.fleet = $1 AND w.seen_at < clock_timestamp() - interval '1 min'
       AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = w.backend);
    INSERT INTO pgusher.worker VALUES ($1, $2, $3, pg_backend_pid(), clock_timestamp() - $4, clock_timestamp(), $5)
        ON CONFLICT (fleet, host, pid) DO UPDATE SET backend = EXCLUDED.backend, started_at = EXCLUDED.started_at,
            seen_at = EXCLUDED.seen_at, state = EXCLUDED.state;
$function$;

-- Whether this session holds the gate itself, which for itself is open.
CREATE OR REPLACE FUNCTION pgusher.holds_gate(number smallint, part smallint) RETURNS boolean
LANGUAGE sql VOLATILE
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
