-- $1 oid[]: tables; $2 text[]: schemas.sql's. One row: 0 words that must be quoted when they are a name, 1 names that a view might want (NAME_card, cut at 63
-- bytes) and that are taken by a relation or a type in a schema of these tables, or on the search_path, 2 the tables that can be
-- named, for suggestions.
SELECT (SELECT array_agg(word) FROM pg_get_keywords() WHERE catcode <> 'U'),
       (SELECT array_agg(DISTINCT taken.name)
          FROM (SELECT relname::text AS name, relnamespace AS schema,
                       relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname = ANY ($2::text[])) AS visible FROM pg_class
                UNION ALL SELECT typname::text, typnamespace, false FROM pg_type) taken
         WHERE (taken.name LIKE '%\_card%' OR octet_length(taken.name) > 57)
           AND (taken.visible OR taken.schema IN (SELECT relnamespace FROM pg_class WHERE oid = ANY ($1::oid[])))),
       (SELECT array_agg(CASE WHEN n.nspname = ANY ($2::text[]) THEN c.relname::text ELSE n.nspname || '.' || c.relname END)
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_'
           AND n.nspname NOT IN ('information_schema', 'pgusher'))
