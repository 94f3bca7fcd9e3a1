-- $1 text: fleet; $2 text: projection; $3 jsonb: its shape; $4 jsonb: the one noted before, NULL: none; $5 text: what is to be done about
-- it, NULL: nothing; $6 text, $7 text[]: key and id that its documents had, NULL: the same; $8 boolean: it is
-- new, and its documents are to be written. Does nothing when another worker was faster. One row: whether it did.
-- A backfill that met the new shape before its worker knew of it is put off no longer.
WITH recorded AS (
    INSERT INTO pgusher.projection AS p (fleet, name, shape, stale, stale_at)
    VALUES ($1, $2, $3::jsonb, $5::text, CASE WHEN $5::text IS NOT NULL THEN now() END)
        ON CONFLICT (fleet, name) DO UPDATE
       SET shape = EXCLUDED.shape,
           stale = coalesce(EXCLUDED.stale, p.stale),
           stale_at = coalesce(EXCLUDED.stale_at, p.stale_at)
     WHERE p.shape IS NOT DISTINCT FROM $4::jsonb
    RETURNING p.name
), former AS (
    INSERT INTO pgusher.former (fleet, projection, key, id)
    SELECT $1, name, $6::text, $7::text[] FROM recorded WHERE $6::text IS NOT NULL
        ON CONFLICT DO NOTHING
), task AS (
    INSERT INTO pgusher.backfill (fleet, projection, reason, repair, phase)
    SELECT $1, name, 'new projection', true, 'keys' FROM recorded WHERE $8::boolean
        ON CONFLICT DO NOTHING
), again AS (
    UPDATE pgusher.backfill SET error = NULL, next_at = NULL
     WHERE fleet = $1 AND projection IN (SELECT name FROM recorded) AND error IS NOT NULL
)
SELECT count(*) > 0 FROM recorded
