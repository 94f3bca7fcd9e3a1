-- One row per fleet: 0 name, 1 number, 2 workers, 3 partitions owned, 4 partitions, 5 partitions asleep, 6 changes not yet applied
-- (counted up to a million), 7 age in seconds of the oldest of them (NULL when none), 8 since when it is cut loose (NULL: it is
-- not), 9 backfills asked for or under way, 10 documents they have done.
-- A cursor is saved now and then only, so what a worker is at may be counted though it is done; a partition whose owner sleeps has
-- nothing left.
WITH asleep AS (
    SELECT l.objid::bigint >> 10 AS number, l.objid::bigint & 1023 AS part
      FROM pg_locks l
     WHERE l.locktype = 'advisory' AND l.classid = 1885828467 AND l.objsubid = 2 AND l.mode = 'ExclusiveLock' AND l.granted
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT f.name, f.number, h.workers, h.owned, m.partitions, (SELECT count(*) FROM asleep a WHERE a.number = f.number),
       u.changes, round(extract(epoch FROM clock_timestamp() - u.oldest), 3), f.cut_at, b.tasks, b.documents
  FROM pgusher.meta m, pgusher.fleet f,
       LATERAL (SELECT count(DISTINCT pid) AS workers, count(part) AS owned FROM pgusher.holders(f.number)) h,
       LATERAL (SELECT count(*) AS changes, min(at) AS oldest
                  FROM (SELECT c.at
                          FROM pgusher.cursor k JOIN pgusher.changelog c USING (part)
                         WHERE k.fleet = f.name
                           AND NOT EXISTS (SELECT FROM asleep a WHERE a.number = f.number AND a.part = k.part)
                           AND c.xid >= (SELECT min(pg_snapshot_xmin(done)::text::bigint)::text::xid8
                                           FROM pgusher.cursor WHERE fleet = f.name)
                           AND NOT pg_visible_in_snapshot(c.xid, k.done)
                           AND (k.upto IS NULL OR NOT pg_visible_in_snapshot(c.xid, k.upto)
                                OR (c.xid, c.seq) > (k.at_xid, k.at_seq))
                         LIMIT 1000000) unapplied) u,
       LATERAL (SELECT count(*) AS tasks, coalesce(sum(documents), 0) AS documents
                  FROM pgusher.backfill WHERE fleet = f.name) b
 ORDER BY f.name
