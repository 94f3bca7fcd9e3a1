-- One row, one JSON object: {"schema_version", "partitions", "changelog": {"bytes", "tables": [{"bytes", "rows", "current"}]}, "postgres": {…},
-- "fleets": [{…}]}. Cheap however long the changelog is: beyond 10,000 rows are estimated by their sequence numbers.
--
-- The cursors are saved now and then, so while a worker is awake the lag may be that much too high; a partition whose gate is
-- closed has applied everything, but what its worker should have woken up for by now. A partition is orphaned when nobody owns it. Canaries do not count.
-- A stranger owns a partition and is no worker: a --once, or whoever has taken the lock by hand.
WITH mine AS (
    SELECT l.classid::bigint AS class, l.objid::bigint >> 10 AS number, (l.objid::bigint & 1023)::smallint AS part,
           l.objid::bigint AS object, l.pid
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
           ARRAY(SELECT pid FROM mine WHERE class = 1885828469 AND object = f.number) AS present,
           (SELECT count(*) FROM mine WHERE class = 1885828468 AND mine.number = f.number) AS owned,
           ARRAY(SELECT part FROM mine WHERE class = 1885828467 AND mine.number = f.number) AS closed,
           (SELECT count(*) FROM pg_stat_activity a
             WHERE a.application_name = 'pgusherd ' || f.name || ' (polling)' AND a.datname = current_database()) AS polling,
           (SELECT count(*) FROM pgusher.quarantine q WHERE q.fleet = f.name) AS quarantined,
           (SELECT min(k.moved_at) FROM pgusher.cursor k WHERE k.fleet = f.name) AS moved_at,
           (SELECT coalesce(json_agg(to_jsonb(b) - '{fleet,repair,not_before,asked_at,moved_at}'::text[] || jsonb_build_object(
                       'waits_for_a_transaction', b.not_before >= pg_snapshot_xmin(pg_current_snapshot()),
                       'asked_seconds_ago', round(extract(epoch FROM clock_timestamp() - b.asked_at), 3),
                       'moved_seconds_ago', round(extract(epoch FROM clock_timestamp() - b.moved_at), 3)) ORDER BY b.projection, b.filter), '[]')
              FROM pgusher.backfill b WHERE b.fleet = f.name) AS backfills
      FROM pgusher.meta m, pgusher.fleet f
), groups AS ( -- partitions at one place are looked at together
    SELECT k.fleet, min(k.part) AS leader, array_agg(k.part) AS parts, k.part = ANY (f.closed) AS closed
      FROM pgusher.cursor k JOIN fleets f ON f.name = k.fleet
     GROUP BY k.fleet, k.done::text, k.upto::text, k.at_xid::text, k.at_seq, k.part = ANY (f.closed)
), waiting AS (
    SELECT g.fleet, g.leader, c.part, c.part = ANY (g.parts) AS counts, count(*) AS changes, min(c.at) AS oldest,
           sum(count(*)) OVER (PARTITION BY g.fleet, g.leader) AS looked_at
      FROM groups g JOIN pgusher.cursor k ON k.fleet = g.fleet AND k.part = g.leader,
           pgusher.behind(k, 10000) c
     WHERE NOT g.closed OR c.at < clock_timestamp() - interval '3 s'
     GROUP BY g.fleet, g.leader, g.parts, c.part
), group_lags AS (
    SELECT w.fleet, w.leader, w.looked_at = 10000 AS is_estimate, sum(w.changes) FILTER (WHERE w.counts) AS changes,
           sum(w.changes) FILTER (WHERE w.counts)::float8 / w.looked_at AS share, min(w.oldest) FILTER (WHERE w.counts) AS oldest
      FROM waiting w GROUP BY w.fleet, w.leader, w.looked_at
), lags AS (
    SELECT l.fleet AS name, bool_or(l.is_estimate) AS is_estimate, min(least(l.oldest, first.at)) AS oldest,
           sum(CASE WHEN l.is_estimate
                    THEN greatest(l.changes, (l.share * (pgusher.last_value('pgusher.changelog_seq') - first.seq + 1))::bigint)
                    ELSE l.changes END)::bigint AS changes
      FROM group_lags l JOIN pgusher.cursor k ON k.fleet = l.fleet AND k.part = l.leader
      LEFT JOIN LATERAL (SELECT c.seq, c.at FROM pgusher.first_after(k.done) c WHERE l.is_estimate) first ON true
     GROUP BY l.fleet
), parts AS (
    SELECT k.fleet, json_agg(json_build_object(
               'part', k.part, 'owner', o.pid, 'stranger', CASE WHEN o.pid <> ALL (f.present) THEN coalesce(
                   (SELECT a.application_name FROM pg_stat_activity a WHERE a.pid = o.pid), '') END, 'gate', CASE WHEN k.part = ANY (f.closed) THEN 'closed' ELSE 'open' END,
               'unapplied', coalesce(w.changes, 0), 'unapplied_is_estimate', coalesce(w.looked_at = 10000, false),
               'unapplied_seconds', round(extract(epoch FROM clock_timestamp() - w.oldest), 3),
               'cursor_moved_seconds_ago', round(extract(epoch FROM clock_timestamp() - k.moved_at), 3)) ORDER BY k.part) AS list
      FROM pgusher.cursor k JOIN fleets f ON f.name = k.fleet
      LEFT JOIN mine o ON o.class = 1885828468 AND o.number = f.number AND o.part = k.part
      LEFT JOIN groups g ON g.fleet = k.fleet AND k.part = ANY (g.parts)
      LEFT JOIN waiting w ON w.fleet = g.fleet AND w.leader = g.leader AND w.part = k.part
     GROUP BY k.fleet
)
SELECT json_build_object(
    'schema_version', m.schema_version, 'partitions', m.partitions,
    'postgres', pgusher.server(),
    'changelog', json_build_object(
        'bytes', (SELECT sum(bytes) FROM tables), 'rows', (SELECT sum(rows) FROM tables),
        'max_rows', (SELECT max(f.max_lag_rows) FROM pgusher.fleet f), 'last_seq', pgusher.last_value('pgusher.changelog_seq'),
        'tables', (SELECT json_agg(json_build_object(
                              'bytes', t.bytes, 'rows', t.rows, 'current', t.n = pgusher.last_value('pgusher.gauge') & 3) ORDER BY t.n)
                     FROM tables t)),
    'fleets', (SELECT coalesce(json_agg(json_build_object(
                   'fleet', f.name, 'number', f.number, 'workers', f.workers, 'polling', f.polling,
                   'partitions_owned', f.owned, 'partitions_orphaned', f.partitions - f.owned,
                   'gates_closed', cardinality(f.closed), 'asleep', cardinality(f.closed) = f.partitions,
                   'lag_is_estimate', coalesce(l.is_estimate, false), 'lag_changes', coalesce(l.changes, 0),
                   'lag_seconds', round(extract(epoch FROM clock_timestamp() - l.oldest), 3),
                   'cursor_moved_seconds_ago', round(extract(epoch FROM clock_timestamp() - f.moved_at), 3),
                   'cut_seconds_ago', round(extract(epoch FROM clock_timestamp() - f.cut_at), 3),
                   'max_lag_rows', f.max_lag_rows, 'max_lag_seconds', round(extract(epoch FROM f.max_lag_age)),
                   'quarantined', f.quarantined, 'epoch', f.epoch, 'identity', f.identity, 'dataset', f.dataset,
                   'backfills', f.backfills, 'worker_list', pgusher.workers(f.number), 'canary', pgusher.canary(f.name),
                   'projections', pgusher.projections(f.name), 'parts', p.list)
                   ORDER BY f.name), '[]')
                 FROM fleets f LEFT JOIN lags l ON l.name = f.name LEFT JOIN parts p ON p.fleet = f.name))
  FROM pgusher.meta m
