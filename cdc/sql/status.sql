-- One row, one JSON object: {"schema_version", "partitions", "changelog": {"bytes", "tables": [{"bytes", "rows", "current"}]},
-- "fleets": [{…}]}. Cheap however long the changelog is: beyond 10,000 rows are estimated by their sequence numbers.
--
-- The cursors are saved now and then, so while a worker is awake the lag may be that much too high; a partition whose gate is
-- closed has applied everything. A partition is orphaned when nobody owns it.
WITH mine AS (
    SELECT l.classid::bigint AS class, l.objid::bigint >> 10 AS number, (l.objid::bigint & 1023)::smallint AS part,
           l.objid::bigint AS object
      FROM pg_locks l
     WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted
       AND l.classid::bigint IN (1885828467, 1885828468, 1885828469)
       AND (l.mode = 'ExclusiveLock' OR l.classid::bigint = 1885828469)
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
), tables AS (
    SELECT n, pg_total_relation_size(log) AS bytes, pgusher.about_rows(log) AS rows
      FROM generate_series(0, 3) n, LATERAL (SELECT ('pgusher.changelog_' || n)::regclass AS log) t
), fleets AS (
    SELECT f.*, m.partitions,
           (SELECT count(*) FROM mine WHERE class = 1885828469 AND object = f.number) AS workers,
           (SELECT count(*) FROM mine WHERE class = 1885828468 AND mine.number = f.number) AS owned,
           ARRAY(SELECT part FROM mine WHERE class = 1885828467 AND mine.number = f.number) AS closed,
           (SELECT count(*) FROM pg_stat_activity a
             WHERE a.application_name = 'pgusherd ' || f.name || ' (polling)' AND a.datname = current_database()) AS polling,
           (SELECT count(*) FROM pgusher.quarantine q WHERE q.fleet = f.name) AS quarantined,
           (SELECT min(k.moved_at) FROM pgusher.cursor k WHERE k.fleet = f.name) AS moved_at,
           (SELECT coalesce(json_agg(json_build_object(
                       'projection', b.projection, 'filter', b.filter, 'reason', b.reason, 'phase', b.phase, 'documents', b.documents,
                       'total', b.total, 'rate', b.rate, 'paused', b.paused, 'error', b.error, 'next_at', b.next_at,
                       'waits_for_a_transaction', b.not_before >= pg_snapshot_xmin(pg_current_snapshot()),
                       'position', b.position,
                       'asked_seconds_ago', round(extract(epoch FROM clock_timestamp() - b.asked_at), 3),
                       'moved_seconds_ago', round(extract(epoch FROM clock_timestamp() - b.moved_at), 3)) ORDER BY b.projection, b.filter), '[]')
              FROM pgusher.backfill b WHERE b.fleet = f.name) AS backfills
      FROM pgusher.meta m, pgusher.fleet f
), lags AS (
    SELECT f.name, CASE WHEN l.changes < 10000 THEN l.changes END AS changes, l.oldest, first.seq AS first_seq, first.at AS first_at
      FROM fleets f,
           LATERAL (SELECT count(*) AS changes, min(u.at) AS oldest
                      FROM (SELECT c.at FROM pgusher.cursor k, pgusher.unapplied(k) c
                             WHERE k.fleet = f.name AND k.part <> ALL (f.closed) LIMIT 10000) u) l,
           LATERAL (SELECT min(c.seq) AS seq, min(c.at) AS at
                      FROM pgusher.cursor k, pgusher.first_after(k.done) c
                     WHERE l.changes = 10000 AND k.fleet = f.name) first
)
SELECT json_build_object(
    'schema_version', m.schema_version, 'partitions', m.partitions,
    'changelog', json_build_object(
        'bytes', (SELECT sum(bytes) FROM tables),
        'tables', (SELECT json_agg(json_build_object(
                              'bytes', t.bytes, 'rows', t.rows, 'current', t.n = pgusher.last_value('pgusher.gauge') & 3) ORDER BY t.n)
                     FROM tables t)),
    'fleets', (SELECT coalesce(json_agg(json_build_object(
                   'fleet', f.name, 'number', f.number, 'workers', f.workers, 'polling', f.polling,
                   'partitions_owned', f.owned, 'partitions_orphaned', f.partitions - f.owned,
                   'gates_closed', cardinality(f.closed), 'asleep', cardinality(f.closed) = f.partitions,
                   'lag_is_estimate', l.changes IS NULL,
                   'lag_changes', coalesce(l.changes, pgusher.last_value('pgusher.changelog_seq') - l.first_seq + 1, 10000),
                   'lag_seconds', round(extract(epoch FROM clock_timestamp() - least(l.oldest, l.first_at)), 3),
                   'cursor_moved_seconds_ago', round(extract(epoch FROM clock_timestamp() - f.moved_at), 3),
                   'cut_seconds_ago', round(extract(epoch FROM clock_timestamp() - f.cut_at), 3),
                   'quarantined', f.quarantined, 'epoch', f.epoch, 'identity', f.identity, 'backfills', f.backfills)
                   ORDER BY f.name), '[]')
                 FROM fleets f JOIN lags l ON l.name = f.name))
  FROM pgusher.meta m
