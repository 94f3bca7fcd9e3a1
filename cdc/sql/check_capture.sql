-- $1 oid[]: the watched tables. What keeps triggers that stand from firing. One row each: 0 kind, 1 table or role, 2 trigger:
--   disabled    a trigger of ours is off, or fires only for replication
--   replica     a role (or all: NULL) whose sessions have session_replication_role = replica: they fire no triggers
--   subscribed  a watched table that logical replication writes into, which fires none either
SELECT 'disabled', t.tgrelid::regclass::text, t.tgname::text
  FROM pg_trigger t
 WHERE t.tgname IN ('pgusher_change', 'pgusher_update', 'pgusher_truncate') AND t.tgenabled IN ('D', 'R')
UNION ALL
SELECT 'replica', s.setrole::regrole::text, NULL
  FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) v
 WHERE lower(v) = 'session_replication_role=replica'
   AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
UNION ALL
SELECT 'subscribed', r.srrelid::regclass::text, NULL
  FROM pg_subscription_rel r
 WHERE r.srrelid = ANY ($1::oid[])
    OR EXISTS (SELECT FROM pg_partition_ancestors(r.srrelid) a WHERE a.relid = ANY ($1::oid[]))
 ORDER BY 1, 2, 3
