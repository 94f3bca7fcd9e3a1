-- $1 text: fleet. One row: 0 schema version, 1 search_path, 2 done, 3 upto, 4 at_xid, 5 at_seq, 6 system identifier and timeline,
-- 7 number of documents in quarantine, 8 whether the cursor is of this database's past (f after it was restored elsewhere). No row when the fleet is not installed.
SELECT m.schema_version, f.search_path, f.done, f.upto, f.at_xid, f.at_seq,
       (SELECT system_identifier FROM pg_control_system()) || '/' ||
           CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END,
       (SELECT count(*) FROM pgusher.quarantine q WHERE q.fleet = f.name),
       pg_snapshot_xmax(coalesce(f.upto, f.done)) <= pg_snapshot_xmax(pg_current_snapshot())
  FROM pgusher.meta m JOIN pgusher.fleet f ON f.name = $1
