-- Which of these projections ($2, text[]) of fleet $1 was not compared with Redis for the longest time, and in how many ms it
-- is due again, if that is every $3 ms. One that is being filled is not looked at. Of several that are due it is the one behind $4 (text),
-- in turn: one that cannot be compared must not keep the others from it.
SELECT p.name, greatest(0, coalesce(extract(epoch FROM v.at - clock_timestamp()) * 1000 + $3::bigint, 0))::bigint AS ms
  FROM unnest($2::text[]) p(name)
  LEFT JOIN pgusher.verified v ON v.fleet = $1 AND v.projection = p.name
 WHERE NOT EXISTS (SELECT FROM pgusher.backfill b WHERE b.fleet = $1 AND b.projection = p.name AND NOT b.paused)
 ORDER BY ms, p.name <= $4, p.name
 LIMIT 1
