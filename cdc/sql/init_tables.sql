-- $1 oid[]: tables; $2 text[]: schemas.sql's. One row per column, in order: 0 oid, 1 schema, 2 name, 3 whether it is on the search_path, 4 whether it may be
-- read, 5 whether tables inherit from it, 6 its id as text[] (NULL: nothing is unique and never NULL), 7 the index of that (NULL: it
-- is the primary key), 8 column, 9 type, 10 type without domain and modifier, 11 whether it may be read, 12 whether an index begins with it,
-- 13 what it is: 'text' a short text or an enum, 'long' a long one, 'secret' by its name, 'other'.
SELECT c.oid, n.nspname, c.relname,
       coalesce(c.oid = (SELECT f.oid FROM pg_class f JOIN pg_namespace s ON s.oid = f.relnamespace
                          WHERE f.relname = c.relname AND s.nspname = ANY ($2::text[])
                          ORDER BY array_position($2::text[], s.nspname::text) LIMIT 1), false),
       has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT'),
       c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid),
       id.names, id.index, a.attname, format_type(a.atttypid, a.atttypmod),
       -- As one without a modifier is written: character is one of a single byte, bpchar is of any length.
       format_type(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END, -1),
       has_column_privilege(c.oid, a.attnum, 'SELECT'),
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL AND i.indkey[0] = a.attnum),
       CASE WHEN a.attname ~* '(passw|secret|token|salt|hash$|api_?key|private_?key)' THEN 'secret'
            WHEN t.typcategory NOT IN ('S', 'E') THEN 'other'
            WHEN s.avg_width > 100 THEN 'long'
            ELSE 'text' END
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
        AND s.inherited = (c.relkind = 'p')
  LEFT JOIN LATERAL (
       SELECT u.names, CASE WHEN NOT i.indisprimary THEN i.indexrelid::regclass::text END AS index
         FROM pg_index i
        CROSS JOIN LATERAL (
              SELECT array_agg(ia.attname::text ORDER BY k.place) AS names, bool_and(ia.attnotnull) AS filled
                FROM unnest(i.indkey) WITH ORDINALITY k(attnum, place)
                JOIN pg_attribute ia ON ia.attrelid = c.oid AND ia.attnum = k.attnum
               WHERE k.place <= i.indnkeyatts
              ) u
        WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND u.filled
        ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid::regclass::text
        LIMIT 1
       ) id ON true
 WHERE c.oid = ANY ($1::oid[])
 ORDER BY c.oid, a.attnum
