-- What is in quarantine is to be tried again at once; workers are told. One row: how many documents, how many workers there are.
-- $1 fleet, $2 projection (NULL: all), $3 key or $4 id (both NULL: all), $5 the projections that there are
WITH fleet AS (
    SELECT number FROM pgusher.fleet WHERE name = $1
), hit AS (
    UPDATE pgusher.quarantine SET next_at = now()
     WHERE fleet = $1 AND ($2::text IS NULL OR projection = $2) AND ($4::text[] IS NULL OR key = $3 OR id = $4)
       AND projection = ANY ($5)
    RETURNING 1
)
SELECT (SELECT count(*) FROM hit),
       (SELECT count(*) FROM pg_locks l, fleet
         WHERE l.locktype = 'advisory' AND l.classid = 1885828469 AND l.objid = fleet.number AND l.objsubid = 2 AND l.granted
           AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())),
       pg_notify('pgusher', 'quarantine ' || (SELECT number FROM fleet))
