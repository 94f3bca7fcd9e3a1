-- $1 oid[]: tables; $2 text[]: the key columns of each, as the text of an array; $3 text[]: likewise the columns that matter. One row each:
-- 0 relation
-- 1 careful: a key's cast to text differs from its output (boolean, char(n), inet), or its output depends on settings of the writer's
--   session (dates, bytea)
-- 2 exact: keys that are equal have the same text
-- 3 whole_row: every column matters
SELECT need.relation,
       bool_or(type.name NOT IN ('smallint', 'integer', 'bigint', 'text', 'uuid', 'numeric', 'character varying', 'oid')),
       bool_and(type.name IN ('smallint', 'integer', 'bigint', 'uuid', 'oid')),
       NOT EXISTS (SELECT FROM pg_attribute a
                    WHERE a.attrelid = need.relation AND a.attnum > 0 AND NOT a.attisdropped
                      AND a.attname <> ALL (need.columns::text[]))
  FROM unnest($1::oid[], $2::text[], $3::text[]) need(relation, keys, columns)
  JOIN pg_attribute a ON a.attrelid = need.relation AND a.attname = ANY (need.keys::text[])
  JOIN pg_type t ON t.oid = a.atttypid
 CROSS JOIN LATERAL (SELECT format_type(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END, NULL)) type(name)
 GROUP BY need.relation, need.columns
