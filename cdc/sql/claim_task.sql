-- $1 text: fleet; $2 text[]: projections that the caller knows; $3 text: dataset that the caller writes to. The fleet's backfills (none when it is of
-- another dataset: they are not for the caller's Redis), and whether the caller has just become the one who
-- does it (at most one; its session keeps the lock): projection, phase, position, documents, asked_at, reason, begun, mine.
WITH task AS MATERIALIZED (
    SELECT b.* FROM pgusher.backfill b JOIN pgusher.fleet f ON f.name = b.fleet
     WHERE f.name = $1 AND f.dataset = $3 AND b.projection = ANY ($2)
), candidate AS MATERIALIZED (
    SELECT t.projection FROM task t WHERE t.not_before < pg_snapshot_xmin(pg_current_snapshot())
), mine AS MATERIALIZED (
    SELECT c.projection FROM candidate c
     WHERE pg_try_advisory_lock(1885828471, hashtext($1 || '/' || c.projection)) LIMIT 1
)
SELECT t.projection, t.phase, t.position, t.documents, t.asked_at, t.reason, t.moved_at > t.asked_at,
       m.projection IS NOT NULL
  FROM task t LEFT JOIN mine m ON m.projection = t.projection
