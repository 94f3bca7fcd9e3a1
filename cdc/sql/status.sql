-- One row per fleet: 0 name, 1 workers connected, 2 asleep (t/f: somebody holds the gate), 3 changes not yet applied (counted up to a
-- million), 4 age in seconds of the oldest of them (NULL when none), 5 seconds since the cursor moved, 6 documents in quarantine,
-- 7 bytes of the changelog.
SELECT f.name,
       (SELECT count(*) FROM pg_stat_activity a WHERE a.application_name = 'pgusherd ' || f.name),
       EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                WHERE l.locktype = 'advisory' AND l.classid = 1885828467 AND l.objid = 0 AND l.granted
                  AND l.mode = 'ExclusiveLock' AND a.application_name = 'pgusherd ' || f.name),
       p.changes, round(extract(epoch FROM clock_timestamp() - p.oldest), 3),
       round(extract(epoch FROM clock_timestamp() - f.moved_at), 3),
       (SELECT count(*) FROM pgusher.quarantine q WHERE q.fleet = f.name),
       pg_total_relation_size('pgusher.changelog')
  FROM pgusher.fleet f,
       LATERAL (SELECT count(*) AS changes, min(at) AS oldest
                  FROM (SELECT c.at FROM pgusher.changelog c
                         WHERE (c.xid >= pg_snapshot_xmax(f.done)
                                OR c.xid = ANY (ARRAY(SELECT pg_snapshot_xip(f.done))))
                           AND (f.upto IS NULL OR NOT pg_visible_in_snapshot(c.xid, f.upto)
                                OR (c.xid, c.seq) > (f.at_xid, f.at_seq))
                         LIMIT 1000000) unapplied) p
 ORDER BY f.name
