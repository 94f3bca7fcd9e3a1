-- $1 text: fleet. One row: 0 schema version, 1 search_path, 2 done, 3 upto, 4 at_xid, 5 at_seq, 6 system identifier and timeline,
-- 7 number of documents in quarantine, 8 whether the cursor is of this database's past (f after it was restored elsewhere),
-- 9 the oldest version of programs that work with this schema. No row when the fleet is not installed.
SELECT m.schema_version, f.search_path, k.done, k.upto, k.at_xid, k.at_seq,
       (SELECT system_identifier FROM pg_control_system()) || '/' ||
           CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END,
       (SELECT count(*) FROM pgusher.quarantine q WHERE q.fleet = f.name),
       pg_snapshot_xmax(coalesce(k.upto, k.done)) <= pg_snapshot_xmax(pg_current_snapshot()), m.oldest_program
  FROM pgusher.meta m JOIN pgusher.fleet f ON f.name = $1 JOIN pgusher.cursor k ON k.fleet = f.name AND k.part = 0
