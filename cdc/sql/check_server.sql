-- $1 oid[]: sources; empty before they are known. One row: 0 server_version_num, 1 is it a standby, 2 max_prepared_transactions,
-- 3 its clock in ms since 1970, 4 how many locks it has room for, 5 how many a reader takes: tables and indexes behind the sources.
WITH RECURSIVE tree AS (
    SELECT s AS relation FROM unnest($1::oid[]) s
    UNION
    SELECT d.refobjid
      FROM tree t
      JOIN pg_rewrite r ON r.ev_class = t.relation
      JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
), locked AS (
    SELECT relation FROM tree
    UNION
    SELECT p.relid::oid FROM tree t JOIN pg_class c ON c.oid = t.relation AND c.relkind = 'p', pg_partition_tree(t.relation) p
)
SELECT current_setting('server_version_num'), pg_is_in_recovery(), current_setting('max_prepared_transactions'),
       floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint,
       current_setting('max_locks_per_transaction')::bigint
           * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint),
       (SELECT count(*) FROM locked) + (SELECT count(*) FROM locked l JOIN pg_index i ON i.indrelid = l.relation)
