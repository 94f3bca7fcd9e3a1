-- $1 text: fleet; $2 text[]: projections; $3 text: filter; $4 integer: documents a second at most, NULL: as fast as it goes; $5 text: reason.
-- Asks for backfills. One that is there already goes on, with this rate if one is given; anew, if it was just cancelled or the
-- shape of the documents is another one since. One row each: projection,
-- asked_at, whether it is new, documents, reason.
WITH asked AS (
    INSERT INTO pgusher.backfill AS b (fleet, projection, filter, reason, rate, asked_at, moved_at)
    SELECT $1, u.p, $3, $5, $4, t.at, t.at
      FROM unnest($2::text[]) WITH ORDINALITY u(p, n), LATERAL (SELECT now() + u.n * interval '1 microsecond' AS at) t
        ON CONFLICT (fleet, projection, filter) DO UPDATE
       SET rate = coalesce(EXCLUDED.rate, b.rate), paused = false, next_at = NULL, error = NULL,
           (phase, position, documents, total, asked_at, moved_at) = (
               SELECT CASE WHEN NOT r.anew THEN b.phase WHEN b.repair THEN 'keys' ELSE 'rows' END,
                      CASE WHEN NOT r.anew THEN b.position END,
                      CASE WHEN r.anew THEN 0 ELSE b.documents END,
                      CASE WHEN NOT r.anew THEN b.total END,
                      CASE WHEN r.anew THEN EXCLUDED.asked_at ELSE b.asked_at END,
                      CASE WHEN r.anew THEN EXCLUDED.moved_at ELSE b.moved_at END
                 FROM (SELECT b.phase = 'cancelled' OR EXISTS (
                                  SELECT FROM pgusher.projection p
                                   WHERE p.fleet = b.fleet AND p.name = b.projection AND p.stale_at > b.asked_at) AS anew) r)
    RETURNING projection, asked_at, documents, reason, asked_at > now() AS is_new
)
SELECT a.projection, a.asked_at, a.is_new, a.documents, a.reason,
       pg_notify('pgusher', 'tasks ' || (SELECT f.number FROM pgusher.fleet f WHERE f.name = $1))
  FROM asked a ORDER BY a.projection
