-- $1 oid[]: sources. What view_reads.sql cannot tell of how they read their tables. One row each: 0 source oid, 1 kind, 2 and 3:
--   within    a table that is a partition (oid), a table that it is part of (oid)
--   heirs     a table whose heirs by plain inheritance are read with it (name), the heirs (names)
--   function  a function that a view calls and that may read any table (name), NULL
-- That a view says ONLY stands nowhere but in its parse tree: inh of the relation.
WITH RECURSIVE tree AS (
    SELECT s AS source, s AS relation, NULL::oid AS reader FROM unnest($1::oid[]) s
    UNION
    SELECT t.source, d.refobjid, t.relation
      FROM tree t
      JOIN pg_class v ON v.oid = t.relation AND v.relkind = 'v'
      JOIN pg_rewrite r ON r.ev_class = t.relation
      JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
       AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> t.relation
)
SELECT DISTINCT t.source, 'within', c.oid::text, a.relid::oid::text
  FROM tree t JOIN pg_class c ON c.oid = t.relation AND c.relispartition
 CROSS JOIN LATERAL pg_partition_ancestors(c.oid) a
 WHERE a.relid <> c.oid
UNION ALL
SELECT DISTINCT t.source, 'heirs', t.relation::regclass::text, h.names
  FROM tree t
  JOIN pg_class c ON c.oid = t.relation AND c.relkind = 'r'
 CROSS JOIN LATERAL (SELECT string_agg(inhrelid::regclass::text, ', ' ORDER BY inhrelid) FROM pg_inherits WHERE inhparent = c.oid) h(names)
 WHERE h.names IS NOT NULL
   AND (t.reader IS NULL
        OR EXISTS (SELECT FROM pg_rewrite r
                    WHERE r.ev_class = t.reader
                      AND r.ev_action::text ~ (':relid ' || c.oid || ' (:[a-z]+ [a-z0-9<>]+ )*:inh true')))
UNION ALL
SELECT DISTINCT t.source, 'function', p.oid::regprocedure::text, NULL
  FROM tree t
  JOIN pg_rewrite r ON r.ev_class = t.relation
  JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_proc'::regclass
  JOIN pg_proc p ON p.oid = d.refobjid AND p.provolatile <> 'i' AND p.pronamespace <> 'pg_catalog'::regnamespace
  JOIN pg_language l ON l.oid = p.prolang AND l.lanname NOT IN ('internal', 'c')
 ORDER BY 1, 2, 3, 4
