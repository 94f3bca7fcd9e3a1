-- $1 text: fleet; $2 text[]: projections that the caller knows. The fleet's backfills, and whether the caller has just become the one who
-- does it (at most one; its session keeps the lock): projection, phase, position, documents, asked_at, reason, begun, mine.
WITH candidate AS MATERIALIZED (
    SELECT b.projection FROM pgusher.backfill b
     WHERE b.fleet = $1 AND b.projection = ANY ($2) AND b.not_before < pg_snapshot_xmin(pg_current_snapshot())
), mine AS MATERIALIZED (
    SELECT c.projection FROM candidate c
     WHERE pg_try_advisory_lock(1885828471, hashtext($1 || '/' || c.projection)) LIMIT 1
)
SELECT b.projection, b.phase, b.position, b.documents, b.asked_at, b.reason, b.moved_at > b.asked_at,
       m.projection IS NOT NULL
  FROM pgusher.backfill b LEFT JOIN mine m ON m.projection = b.projection
 WHERE b.fleet = $1 AND b.projection = ANY ($2)
