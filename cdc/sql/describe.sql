-- $1 text[]: names of relations as the configuration writes them: exact, or schema.exact; $2 text[]: schemas.sql's.
-- One row per column: 0 name, 1 oid, 2 quoted qualified name, 3 relkind, 4 may we SELECT it (t/f), 5 column, 6 its type,
-- 7 its type without domains, 8 is it a virtual generated one (t/f). A relation that is not there has one row with NULL from 1 on.
WITH found AS (
    SELECT name,
           coalesce((SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                      WHERE c.relname = wanted.name AND n.nspname = ANY ($2::text[])
                      ORDER BY array_position($2::text[], n.nspname::text) LIMIT 1),
                    (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                      WHERE n.nspname || '.' || c.relname = wanted.name ORDER BY length(n.nspname) LIMIT 1)) AS relation
      FROM (SELECT DISTINCT unnest($1::text[]) AS name) wanted
)
SELECT f.name, c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind,
       has_table_privilege(c.oid, 'SELECT'), a.attname, format_type(a.atttypid, a.atttypmod),
       format_type((WITH RECURSIVE base AS (
                        SELECT t.oid, t.typtype, t.typbasetype
                        UNION ALL
                        SELECT u.oid, u.typtype, u.typbasetype FROM base b JOIN pg_type u ON b.typtype = 'd' AND u.oid = b.typbasetype)
                    SELECT oid FROM base WHERE typtype <> 'd'), NULL),
       a.attgenerated = 'v'
  FROM found f
  LEFT JOIN pg_class c ON c.oid = f.relation
  LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_type t ON t.oid = a.atttypid
 ORDER BY f.name, a.attnum
