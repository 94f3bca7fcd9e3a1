-- $1 text: fleet; $2 text[]: projections; $3 text: reason; $4 boolean: what is written already may not be queued. Any document of these may
-- have gone: a backfill that looks at every key and every row. One that is under way begins anew, and queues what its owner may have written
-- and not queued. One row: nothing of interest.
WITH asked AS (
    INSERT INTO pgusher.backfill AS b (fleet, projection, reason, repair, phase, asked_at, moved_at)
    SELECT $1, u.p, $3, true, 'keys', t.at, t.at + CASE WHEN $4 THEN interval '1 microsecond' ELSE interval '0' END
      FROM unnest($2::text[]) WITH ORDINALITY u(p, n), LATERAL (SELECT now() + u.n * interval '1 microsecond' AS at) t
        ON CONFLICT (fleet, projection, filter) DO UPDATE
       SET reason = EXCLUDED.reason, repair = true, phase = 'keys', position = NULL, rate = NULL, paused = false, error = NULL,
           next_at = NULL, asked_at = EXCLUDED.asked_at,
           moved_at = EXCLUDED.asked_at + CASE WHEN $4 OR b.moved_at > b.asked_at THEN interval '1 microsecond' ELSE interval '0' END
)
SELECT pg_notify('pgusher', 'tasks ' || (SELECT number FROM pgusher.fleet WHERE name = $1))
