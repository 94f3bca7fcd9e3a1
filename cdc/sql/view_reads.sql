-- $1 oid[]: sources (views or tables). Which tables each source reads, through views of views, and which columns.
-- One row per source and table: 0 source oid, 1 table oid, 2 quoted qualified name, 3 relkind, 4 the columns as text[]
-- (NULL: all, or not known exactly). From pg_depend, where the rule of a view depends on every column it names.
--
-- Instead of a virtual generated column, of which triggers see only NULL: the columns that it is computed from.
--
-- Not known exactly: the source is the table itself; a view uses a whole row (no column dependency is recorded for
-- that, its parse tree has a variable of attribute 0) or a system column; a view calls a function of
-- the user, which may read anything.
WITH RECURSIVE tree AS (
    SELECT s AS source, s AS relation FROM unnest($1::oid[]) s
    UNION
    SELECT t.source, d.refobjid
      FROM tree t
      JOIN pg_class v ON v.oid = t.relation AND v.relkind = 'v'
      JOIN pg_rewrite r ON r.ev_class = t.relation
      JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
       AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> t.relation
), rules AS (
    SELECT t.source, r.oid, r.ev_class, r.ev_action::text LIKE '%:varattno 0 %' AS whole_row
      FROM tree t JOIN pg_class v ON v.oid = t.relation AND v.relkind = 'v'
      JOIN pg_rewrite r ON r.ev_class = t.relation
), opaque AS (
    SELECT r.source FROM rules r
     WHERE r.whole_row
        OR EXISTS (SELECT FROM pg_depend d JOIN pg_proc p ON p.oid = d.refobjid
                    WHERE d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                      AND d.refclassid = 'pg_proc'::regclass AND p.pronamespace <> 'pg_catalog'::regnamespace)
), named AS (
    SELECT r.source, d.refobjid AS relation, d.refobjsubid AS attnum
      FROM rules r
      JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
       AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
    UNION
    SELECT n.source, n.relation, d.refobjsubid
      FROM named n
      JOIN pg_attribute a ON a.attrelid = n.relation AND a.attnum = n.attnum AND a.attgenerated = 'v'
      JOIN pg_attrdef e ON e.adrelid = n.relation AND e.adnum = n.attnum
      JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = e.oid
       AND d.refclassid = 'pg_class'::regclass AND d.refobjid = n.relation
), columns AS (
    SELECT n.source, n.relation, array_agg(DISTINCT a.attname::text) AS names, bool_or(n.attnum < 0) AS system_column
      FROM named n
      LEFT JOIN pg_attribute a ON a.attrelid = n.relation AND a.attnum = n.attnum AND n.attnum > 0 AND a.attgenerated <> 'v'
     GROUP BY 1, 2
)
SELECT t.source, c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind,
       CASE WHEN t.source = t.relation OR k.system_column OR t.source IN (SELECT source FROM opaque) THEN NULL
            ELSE array_remove(k.names, NULL) END
  FROM tree t
  JOIN pg_class c ON c.oid = t.relation AND c.relkind <> 'v'
  JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  LEFT JOIN columns k ON k.source = t.source AND k.relation = t.relation
 ORDER BY 1, 2
