-- What cannot be built, for people who look at all of it: one row, one JSON array, the last 50.
-- $1 fleet
SELECT coalesce(json_agg(json_build_object(
           'projection', q.projection, 'key', q.key, 'attempts', q.attempts, 'error', left(q.error, 500),
           'seconds_ago', round(extract(epoch FROM clock_timestamp() - q.first_at), 3),
           'next_seconds', round(extract(epoch FROM q.next_at - clock_timestamp()), 3)) ORDER BY q.first_at DESC), '[]')
  FROM (SELECT * FROM pgusher.quarantine WHERE fleet = $1 ORDER BY first_at DESC LIMIT 50) q
