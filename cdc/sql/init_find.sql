-- $1 text[]: names of tables as the command line has them: exact, or schema.exact; $2 text[]: schemas.sql's. One row per name, in their order:
-- 0 name, 1 oid (NULL: there is none), 2 relkind, 3 of a partition: what it is part of, 4 whether the schema is PostgreSQL's or ours.
SELECT w.name, c.oid, c.relkind,
       (SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = c.oid AND c.relispartition),
       n.nspname ~ '^pg_' OR n.nspname IN ('information_schema', 'pgusher')
  FROM unnest($1::text[]) WITH ORDINALITY w(name, place)
  LEFT JOIN pg_class c ON c.oid =
            coalesce((SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                      WHERE c.relname = w.name AND n.nspname = ANY ($2::text[])
                      ORDER BY array_position($2::text[], n.nspname::text) LIMIT 1),
                     (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                      WHERE n.nspname || '.' || c.relname = w.name ORDER BY length(n.nspname) LIMIT 1))
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
 ORDER BY w.place
