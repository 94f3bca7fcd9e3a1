-- $1 text: fleet; $2 text: dataset; $3 text: history; $4 integer: epoch; $5 text[]: projections; $6 text: why; $7 boolean: Redis lost
-- its contents; $8 boolean: changes were lost. A backfill of every projection. Cursors stay, so that what was written and not yet queued is
-- read again; if Redis lost its contents, and the queues with them, they go back by the look-back, so that the queues hear of removals, too;
-- if the changelog does not go back to them, they go to now. What is written already is queued, for it may not be, where a backfill had
-- begun, and where no change is left that would tell. One row: nothing of interest.
WITH log AS (
    SELECT l.done, l.not_before FROM pgusher.restart_log() l
), fleet AS (
    UPDATE pgusher.fleet SET dataset = $2, identity = $3, epoch = $4, cut_at = NULL WHERE name = $1
), past AS (
    SELECT coalesce(pgusher.moment_before(f.look_back), m.horizon) AS done
      FROM pgusher.fleet f, pgusher.meta m WHERE f.name = $1
), cursors AS (
    UPDATE pgusher.cursor k
       SET done = CASE fate WHEN 'stays' THEN k.done WHEN 'back' THEN past.done ELSE log.done END,
           upto = CASE fate WHEN 'stays' THEN k.upto END,
           at_xid = CASE fate WHEN 'stays' THEN k.at_xid ELSE '0' END,
           at_seq = CASE fate WHEN 'stays' THEN k.at_seq ELSE 0 END, moved_at = now()
      FROM log, past,
           (SELECT c.part, CASE WHEN NOT pgusher.can_resume(c.done) THEN 'now'
                                WHEN $7 AND NOT pgusher.covers(p.done, c.done) AND pgusher.can_resume(p.done) THEN 'back'
                                ELSE 'stays' END AS fate
              FROM pgusher.cursor c, past p WHERE c.fleet = $1) judged
     WHERE k.fleet = $1 AND k.part = judged.part
), tasks AS (
    INSERT INTO pgusher.backfill AS b (fleet, projection, reason, repair, phase, not_before, asked_at, moved_at)
    SELECT $1, u.p, $6, true, 'keys', log.not_before, t.at, t.at + CASE WHEN $8 THEN interval '1 microsecond' ELSE interval '0' END
      FROM log, unnest($5::text[]) WITH ORDINALITY u(p, n), LATERAL (SELECT now() + u.n * interval '1 microsecond' AS at) t
        ON CONFLICT (fleet, projection, filter) DO UPDATE
       SET reason = EXCLUDED.reason, repair = true, phase = 'keys', position = NULL, documents = 0,
           not_before = EXCLUDED.not_before, rate = NULL, paused = false, error = NULL, next_at = NULL,
           asked_at = EXCLUDED.asked_at,
           moved_at = EXCLUDED.asked_at + CASE WHEN $8 OR b.moved_at > b.asked_at THEN interval '1 microsecond' ELSE interval '0' END
)
SELECT pg_notify('pgusher', 'tasks ' || (SELECT number FROM pgusher.fleet WHERE name = $1))
