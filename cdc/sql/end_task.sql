-- $1 text: fleet; $2 text: projection; $3 text: filter; $4 timestamptz: asked_at; $5 text: 'done' or 'cancelled'; $6 bigint: documents.
-- Puts a backfill away, and tells those who wait for it. One of all documents, done, clears what a changed shape of the projection asked
-- for before it.
WITH gone AS (
    DELETE FROM pgusher.backfill b WHERE b.fleet = $1 AND b.projection = $2 AND b.filter = $3 AND b.asked_at = $4 RETURNING b.asked_at
), fresh AS (
    UPDATE pgusher.projection p SET stale = NULL, stale_at = NULL FROM gone g
     WHERE p.fleet = $1 AND p.name = $2 AND $3 = '' AND $5 = 'done' AND p.stale_at <= g.asked_at
)
SELECT pg_notify('pgusher', format('backfill %s %s %s %s', f.number, $5::text, $6::bigint, g.asked_at))
  FROM gone g, pgusher.fleet f WHERE f.name = $1
