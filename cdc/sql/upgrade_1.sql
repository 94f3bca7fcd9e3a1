-- What version 1 knew, taken over by version 2. The old schema was renamed to pgusher_1, its triggers' tables are locked, so
-- nobody writes into it any more. A change keeps its transaction; those that every fleet has applied are left behind.
INSERT INTO pgusher.capture SELECT * FROM pgusher_1.capture;

INSERT INTO pgusher.fleet (name, search_path, number)
SELECT name, search_path, row_number() OVER (ORDER BY name) - 1 FROM pgusher_1.fleet;

INSERT INTO pgusher.cursor (fleet, part, done, upto, at_xid, at_seq, moved_at)
SELECT f.name, p, f.done, f.upto, f.at_xid, f.at_seq, f.moved_at
  FROM pgusher_1.fleet f, pgusher.meta m, generate_series(0, m.partitions - 1) p;

INSERT INTO pgusher.watch SELECT * FROM pgusher_1.watch;
INSERT INTO pgusher.quarantine (fleet, projection, key, error, first_at, last_at, attempts)
SELECT fleet, projection, key, error, first_at, last_at, attempts FROM pgusher_1.quarantine;

INSERT INTO pgusher.changelog_0 (xid, seq, at, part, capture, keys)
SELECT c.xid, c.seq, c.at, coalesce((hash_array(c.keys) & 2147483647) % m.partitions, 0), c.capture, c.keys
  FROM pgusher_1.changelog c, pgusher.meta m
 WHERE c.xid >= (SELECT min(pg_snapshot_xmin(f.done)) FROM pgusher_1.fleet f)
   AND EXISTS (SELECT FROM pgusher_1.fleet f WHERE NOT pg_visible_in_snapshot(c.xid, f.done));

DO $$BEGIN
    PERFORM setval('pgusher.changelog_seq', greatest(1, pg_sequence_last_value(pg_get_serial_sequence('pgusher_1.changelog', 'seq'))));
END$$;

-- The oldest cursor sees exactly what was left behind.
UPDATE pgusher.meta SET horizon = coalesce((
    SELECT done FROM pgusher_1.fleet
     ORDER BY pg_snapshot_xmax(done)::text::bigint - (SELECT count(*) FROM pg_snapshot_xip(done)) LIMIT 1), horizon);
