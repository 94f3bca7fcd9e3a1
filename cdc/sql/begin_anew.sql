-- $1 text: fleet; $2 text: dataset; $3 text: history; $4 integer: epoch; $5 text[]: projections; $6 text: why.
-- All cursors to now, and a backfill of every projection, which makes up for what lies before. One row: nothing of interest.
WITH log AS (
    SELECT l.done, l.not_before FROM pgusher.restart_log() l
), fleet AS (
    UPDATE pgusher.fleet SET dataset = $2, identity = $3, epoch = $4, cut_at = NULL WHERE name = $1
), cursors AS (
    UPDATE pgusher.cursor SET done = log.done, upto = NULL, at_xid = '0', at_seq = 0, moved_at = now()
      FROM log WHERE fleet = $1
), tasks AS (
    INSERT INTO pgusher.backfill (fleet, projection, reason, repair, phase, not_before)
    SELECT $1, p, $6, true, 'keys', log.not_before FROM unnest($5::text[]) p, log
        ON CONFLICT (fleet, projection) DO UPDATE
       SET reason = EXCLUDED.reason, repair = true, phase = 'keys', position = NULL, documents = 0,
           not_before = EXCLUDED.not_before, asked_at = now(), moved_at = now()
)
SELECT pg_notify('pgusher', 'tasks ' || (SELECT number FROM pgusher.fleet WHERE name = $1))
