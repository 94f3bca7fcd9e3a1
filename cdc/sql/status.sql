-- One row per fleet: 0 name, 1 workers connected, 2 asleep (t/f: one of them holds the gate), 3 changes not yet applied (counted up to
-- a million), 4 age in seconds of the oldest of them (NULL when none), 5 seconds since the cursor was saved, 6 documents in
-- quarantine, 7 bytes of the changelog. The cursor is saved twice a second at most, so while a worker is awake 3 and 4 may be that
-- much too high; one that is asleep has applied everything.
SELECT f.name, w.workers, w.asleep, CASE WHEN w.asleep THEN 0 ELSE p.changes END,
       CASE WHEN NOT w.asleep THEN round(extract(epoch FROM clock_timestamp() - p.oldest), 3) END,
       round(extract(epoch FROM clock_timestamp() - f.moved_at), 3),
       (SELECT count(*) FROM pgusher.quarantine q WHERE q.fleet = f.name),
       pg_total_relation_size('pgusher.changelog')
  FROM pgusher.fleet f,
       LATERAL (SELECT count(*) AS workers,
                       coalesce(bool_or(EXISTS (SELECT FROM pg_locks l
                                                 WHERE l.pid = a.pid AND l.locktype = 'advisory'
                                                   AND l.classid = 1885828467 AND l.objid = 0
                                                   AND l.mode = 'ExclusiveLock' AND l.granted)), false) AS asleep
                  FROM pg_stat_activity a
                 WHERE a.application_name = 'pgusherd ' || f.name AND a.datname = current_database()) w,
       LATERAL (SELECT count(*) AS changes, min(at) AS oldest
                  FROM (SELECT c.at FROM pgusher.changelog c
                         WHERE (c.xid >= pg_snapshot_xmax(f.done)
                                OR c.xid = ANY (ARRAY(SELECT pg_snapshot_xip(f.done))))
                           AND (f.upto IS NULL OR NOT pg_visible_in_snapshot(c.xid, f.upto)
                                OR (c.xid, c.seq) > (f.at_xid, f.at_seq))
                         LIMIT 1000000) unapplied) p
 ORDER BY f.name
