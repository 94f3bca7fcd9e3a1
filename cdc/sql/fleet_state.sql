-- $1 text: fleet. One row: 0 schema version, 1 oldest program it works with, 2 number of partitions, 3 when it was installed,
-- 4 the fleet's number, 5 search_path, 6 epoch, 7 the history that epoch belongs to (NULL: none yet), 8 dataset (NULL: none yet),
-- 9 this server's history: system identifier and timeline, 10 snapshot, 11 number of documents in quarantine.
-- 12 the database: system identifier and name. No row when the fleet is not installed.
SELECT m.schema_version, m.oldest_program, m.partitions, extract(epoch FROM m.installed_at), f.number, f.search_path,
       f.epoch, f.identity, f.dataset,
       (SELECT system_identifier FROM pg_control_system()) || '/' ||
           CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END,
       pg_current_snapshot(),
       (SELECT count(*) FROM pgusher.quarantine q WHERE q.fleet = f.name),
       (SELECT system_identifier FROM pg_control_system()) || '/' || current_database()
  FROM pgusher.meta m JOIN pgusher.fleet f ON f.name = $1
