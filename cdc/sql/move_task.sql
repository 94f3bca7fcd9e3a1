-- $1 text: fleet; $2 text: projection; $3 text: filter; $4 timestamptz: asked_at; $5 text: phase; $6 text[]: position; $7 bigint: documents;
-- $8 bigint: total, when nobody knew it yet. How far a backfill is. One row: paused, rate (0: none); no row: it was cancelled or replaced.
UPDATE pgusher.backfill b
   SET phase = $5, position = $6, documents = $7, total = coalesce(b.total, $8), error = NULL, next_at = NULL,
       moved_at = greatest(now(), b.asked_at + interval '1 microsecond')
 WHERE b.fleet = $1 AND b.projection = $2 AND b.filter = $3 AND b.asked_at = $4 AND b.phase <> 'cancelled'
RETURNING b.paused, coalesce(b.rate, 0)
