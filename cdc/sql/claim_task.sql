-- $1 text: fleet; $2 text[]: projections that the caller knows; $3 text: dataset that the caller writes to; $4 text: only those with this
-- filter, NULL: all; $5 integer[]: locks of those that the caller does already.
-- The fleet's other backfills (none when it is of another dataset: they are not for the caller's Redis; none of a broken projection), and whether the caller has just
-- become the one who does it (at most one; its session keeps the lock): projection, phase, position, documents, asked_at, reason, begun,
-- mine, filter, lock, repair, rate, total, wait_ms: how long until it may be claimed, NULL: not before somebody says so.
WITH task AS MATERIALIZED (
    SELECT b.*, l.lock,
           CASE WHEN b.phase = 'cancelled' THEN 0
                WHEN NOT b.paused THEN greatest(0, ceil(extract(epoch FROM b.next_at - now()) * 1000)) END AS wait_ms
      FROM pgusher.fleet f JOIN pgusher.backfill b ON b.fleet = f.name,
           LATERAL (SELECT hashtext($1 || '/' || b.projection || CASE WHEN b.filter <> '' THEN '/' || b.filter ELSE '' END) AS lock) l
     WHERE f.name = $1 AND f.dataset = $3 AND b.projection = ANY ($2) AND b.filter = coalesce($4, b.filter) AND l.lock <> ALL ($5)
       AND NOT EXISTS (SELECT FROM pgusher.projection p WHERE p.fleet = $1 AND p.name = b.projection AND p.broken_at IS NOT NULL)
), candidate AS MATERIALIZED (
    SELECT t.lock, t.asked_at FROM task t
     WHERE t.wait_ms = 0 AND t.not_before < pg_snapshot_xmin(pg_current_snapshot())
     ORDER BY t.repair DESC, t.asked_at
), mine AS MATERIALIZED (
    SELECT c.lock, c.asked_at FROM candidate c WHERE pg_try_advisory_lock(1885828471, c.lock) LIMIT 1
)
SELECT t.projection, t.phase, t.position, t.documents, t.asked_at, t.reason, t.moved_at > t.asked_at,
       m.lock IS NOT NULL, t.filter, t.lock, t.repair, coalesce(t.rate, 0), coalesce(t.total, -1), t.wait_ms::bigint
  FROM task t LEFT JOIN mine m ON m.lock = t.lock AND m.asked_at = t.asked_at
