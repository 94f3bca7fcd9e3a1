-- $1 text: this fleet. What other fleets need and what stands of ours; only asked when the schema exists.
-- kind 'watch': oid, quoted name, relkind, key_columns, columns. kind 'trigger': oid, quoted name, trigger name, comment, NULL.
-- kind 'capture': relation oid, id, NULL, key_columns, NULL. kind 'function': NULL, name, NULL, comment, NULL.
SELECT 'watch', w.relation::oid::text, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind::text,
       w.key_columns::text, w.columns::text
  FROM pgusher.watch w JOIN pg_class c ON c.oid = w.relation JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE w.fleet <> $1
UNION ALL
SELECT 'trigger', c.oid::text, quote_ident(n.nspname) || '.' || quote_ident(c.relname), t.tgname::text,
       obj_description(t.oid, 'pg_trigger'), NULL
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE t.tgname IN ('pgusher_change', 'pgusher_update', 'pgusher_truncate') AND NOT t.tgisinternal
   AND t.tgparentid = 0
UNION ALL
SELECT 'capture', k.relation::oid::text, k.id::text, NULL, k.key_columns::text, NULL FROM pgusher.capture k
UNION ALL
SELECT 'function', NULL, p.proname, NULL, obj_description(p.oid, 'pg_proc'), NULL
  FROM pg_proc p WHERE p.pronamespace = 'pgusher'::regnamespace AND p.proname ~ '^capture_\d+$'
