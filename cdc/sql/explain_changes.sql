-- The changes of a fleet that are not applied, the oldest first: part, xid, seq, capture, keys, age in seconds. $1 text: fleet;
-- $2 smallint: its number. @ stands for a condition on the change c, and for more behind. A partition whose gate is closed
-- has applied everything.
SELECT c.part, c.xid, c.seq, c.capture, c.keys, round(extract(epoch FROM clock_timestamp() - c.at)::numeric, 3)
  FROM pgusher.cursor k, pgusher.unapplied(k) c
 WHERE k.fleet = $1
   AND k.part <> ALL (ARRAY(SELECT (l.objid::bigint & 1023)::smallint FROM pg_locks l
                             WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted AND l.mode = 'ExclusiveLock'
                               AND l.classid::bigint = 1885828467 AND l.objid::bigint >> 10 = $2
                               AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())))
   AND (@)
 ORDER BY c.xid, c.seq
