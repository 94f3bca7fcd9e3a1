-- $1 text: fleet; $2 text[]: projections that there are; $3 text[]: their keys. Forgets the other projections; what remains of them
-- are keys in Redis, unless another one's are of the same form. Forms of keys that are in use again are no former ones. A row for each
-- projection that is gone and whose shape was known: name, key, whether keys remain.
WITH gone AS (
    DELETE FROM pgusher.projection WHERE fleet = $1 AND name <> ALL ($2)
    RETURNING name, shape->>'key' AS key, ARRAY(SELECT jsonb_array_elements_text(shape->'id')) AS id
), former AS (
    INSERT INTO pgusher.former (fleet, projection, key, id)
    SELECT $1, name, key, id FROM gone WHERE key <> ALL ($3)
        ON CONFLICT DO NOTHING
), used AS (
    DELETE FROM pgusher.former WHERE fleet = $1 AND key = ANY ($3)
), tasks AS (
    DELETE FROM pgusher.backfill b USING gone WHERE b.fleet = $1 AND b.projection = gone.name
), quarantine AS (
    DELETE FROM pgusher.quarantine q USING gone WHERE q.fleet = $1 AND q.projection = gone.name
)
SELECT name, key, key <> ALL ($3) FROM gone WHERE key IS NOT NULL ORDER BY name
