-- $1 oid[]: tables. The foreign keys that lead from or to them: 0 table, 1 its columns, 2 the table it references, 3 the columns
-- there, 4 whether an index finds the rows of the first by its columns. Those of partitions are their parents'. One with a PERIOD
-- (PostgreSQL 18) is none: its columns are not equal on both sides.
SELECT k.conrelid, f.names, k.confrelid, t.names,
       EXISTS (SELECT FROM pg_index i
                WHERE i.indrelid = k.conrelid AND i.indisvalid AND i.indpred IS NULL
                  AND (i.indkey::smallint[])[0:cardinality(k.conkey) - 1] @> k.conkey)
  FROM pg_constraint k
 CROSS JOIN LATERAL (
       SELECT array_agg(a.attname::text ORDER BY u.place) AS names
         FROM unnest(k.conkey) WITH ORDINALITY u(attnum, place)
         JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
       ) f
 CROSS JOIN LATERAL (
       SELECT array_agg(a.attname::text ORDER BY u.place) AS names
         FROM unnest(k.confkey) WITH ORDINALITY u(attnum, place)
         JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum
       ) t
 WHERE k.contype = 'f' AND k.conparentid = 0
   AND to_jsonb(k)->>'conperiod' IS DISTINCT FROM 'true'
   AND (k.conrelid = ANY ($1::oid[]) OR k.confrelid = ANY ($1::oid[]))
 ORDER BY k.conrelid::regclass::text, k.conkey, k.conname
