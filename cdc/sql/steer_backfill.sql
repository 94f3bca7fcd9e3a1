-- $1 text: fleet; $2 text[]: projections; $3 text: 'pause', 'resume' or 'cancel'; $4 text: the reason of those that an operator asked
-- for: others cannot be cancelled. One row for each backfill that is meant: projection, filter, reason, whether it was done.
-- What stands in Redis of a cancelled one that was begun must be put away by somebody who writes there: it is marked.
WITH meant AS (
    SELECT b.*, $3 <> 'cancel' OR b.reason = $4 AS may, b.filter <> '' OR b.moved_at = b.asked_at AS forgettable
      FROM pgusher.backfill b WHERE b.fleet = $1 AND b.projection = ANY ($2) AND b.phase <> 'cancelled' FOR UPDATE
), changed AS (
    UPDATE pgusher.backfill b SET paused = $3 = 'pause', next_at = NULL, phase = CASE $3 WHEN 'cancel' THEN 'cancelled' ELSE b.phase END
      FROM meant m
     WHERE (b.fleet, b.projection, b.filter) = (m.fleet, m.projection, m.filter) AND m.may AND ($3 <> 'cancel' OR NOT m.forgettable)
), forgotten AS (
    DELETE FROM pgusher.backfill b USING meant m
     WHERE (b.fleet, b.projection, b.filter) = (m.fleet, m.projection, m.filter) AND m.may AND $3 = 'cancel' AND m.forgettable
)
SELECT m.projection, m.filter, m.reason, m.may,
       pg_notify('pgusher', 'tasks ' || f.number),
       CASE WHEN $3 = 'cancel' AND m.may AND m.forgettable
            THEN pg_notify('pgusher', format('backfill %s cancelled %s %s', f.number, m.documents, m.asked_at)) END
  FROM meant m JOIN pgusher.fleet f ON f.name = m.fleet ORDER BY m.projection, m.filter
