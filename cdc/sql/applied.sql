-- Whether fleet $1 has applied every change that snapshot $2 sees; whether projection $3 is being filled; how many workers live;
-- where the cursors are.
SELECT NOT EXISTS (SELECT FROM pgusher.cursor k, pgusher.unapplied(k) u
                    WHERE k.fleet = f.name AND pg_visible_in_snapshot(u.xid, $2::pg_snapshot)),
       EXISTS (SELECT FROM pgusher.backfill b WHERE b.fleet = f.name AND b.projection = $3 AND NOT b.paused),
       (SELECT count(*) FROM pgusher.holders(f.number) h WHERE h.part IS NULL),
       (SELECT string_agg(concat_ws('|', k.done, k.at_xid, k.at_seq), ' ' ORDER BY k.part)
          FROM pgusher.cursor k WHERE k.fleet = f.name)
  FROM pgusher.fleet f
 WHERE f.name = $1
