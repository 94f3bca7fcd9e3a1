-- The schemas in which a name without one is looked for, as text[], the first one first. One row. Of a session that has just begun
-- those of its role, which session.sql put aside; so every operator is written with its schema.
SELECT pg_catalog.set_config('search_path', s.reset_val, true) FROM pg_catalog.pg_settings s
 WHERE s.name OPERATOR(pg_catalog.=) 'search_path' AND pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.=) 'pg_catalog, pg_temp';
SELECT pg_catalog.current_schemas(true)::pg_catalog.text[];
