-- $1 text: fleet; $2 text: projection; $3 text: filter; $4 timestamptz: asked_at; $5 text: 'done' or 'cancelled'; $6 bigint: documents.
-- Puts a backfill away, and tells those who wait for it.
WITH gone AS (
    DELETE FROM pgusher.backfill b WHERE b.fleet = $1 AND b.projection = $2 AND b.filter = $3 AND b.asked_at = $4 RETURNING b.asked_at
)
SELECT pg_notify('pgusher', format('backfill %s %s %s %s', f.number, $5::text, $6::bigint, g.asked_at))
  FROM gone g, pgusher.fleet f WHERE f.name = $1
