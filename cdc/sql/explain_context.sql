-- What is known of one document besides its row. $1 text: fleet; $2 smallint: its number; $3 text: projection; $4 text[]: keys.
-- One JSON object; rows stand in it as they are.
SELECT jsonb_build_object(
    'workers', (SELECT count(*) FROM pgusher.holders($2) h WHERE h.part IS NULL),
    'projection_state', (SELECT to_jsonb(p) - 'shape' FROM pgusher.projection p WHERE p.fleet = $1 AND p.name = $3),
    'backfills', (SELECT coalesce(jsonb_agg(to_jsonb(b) ORDER BY b.asked_at), '[]')
                    FROM pgusher.backfill b WHERE b.fleet = $1 AND b.projection = $3),
    'verified', (SELECT to_jsonb(v) FROM pgusher.verified v WHERE v.fleet = $1 AND v.projection = $3),
    'quarantine', (SELECT coalesce(jsonb_object_agg(q.key, to_jsonb(q)), '{}')
                     FROM pgusher.quarantine q WHERE q.fleet = $1 AND q.projection = $3 AND q.key = ANY ($4)))
