-- $1 oid[]: tables; $2 text[]: the key columns of each, as the text of an array. The tables that have a key whose cast to text
-- differs from its output (boolean, char(n), inet), or whose output depends on settings of the writer's session (dates, bytea).
SELECT DISTINCT a.attrelid
  FROM unnest($1::oid[], $2::text[]) need(relation, keys)
  JOIN pg_attribute a ON a.attrelid = need.relation AND a.attname = ANY (need.keys::text[])
  JOIN pg_type t ON t.oid = a.atttypid
 WHERE format_type(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END, NULL) NOT IN
       ('smallint', 'integer', 'bigint', 'text', 'uuid', 'numeric', 'character varying', 'oid')
