-- $1 text: fleet; $2 text[]: projections that the caller can build; $3 integer: how many. What of the quarantine is due, to be tried
-- again by the caller, which has a minute for it: projection, key, watch, id.
WITH due AS (
    SELECT q.projection, q.key FROM pgusher.quarantine q
     WHERE q.fleet = $1 AND q.projection = ANY ($2) AND q.next_at <= now()
     ORDER BY q.next_at LIMIT $3 FOR UPDATE SKIP LOCKED
)
UPDATE pgusher.quarantine q SET next_at = now() + interval '1 min'
  FROM due WHERE q.fleet = $1 AND q.projection = due.projection AND q.key = due.key
RETURNING q.projection, q.key, q.watch, q.id
