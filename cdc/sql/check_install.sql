-- $1 oid[]: the watched tables. One row: 0 this role, 1 what it would need for an install (NULL: nothing).
SELECT current_user,
       concat_ws(', ',
                 CASE WHEN n.oid IS NULL AND NOT has_database_privilege(current_database(), 'CREATE')
                      THEN 'CREATE on the database' END,
                 CASE WHEN n.oid IS NOT NULL AND NOT pg_has_role(n.nspowner, 'USAGE')
                      THEN 'to be ' || n.nspowner::regrole || ', who owns the schema pgusher' END,
                 -- TRIGGER is not enough: only an owner may replace, comment on and drop what it has made.
                 (SELECT 'to own ' || string_agg(c.oid::regclass::text, ', ' ORDER BY c.oid) FROM pg_class c
                   WHERE c.oid = ANY ($1::oid[]) AND NOT pg_has_role(c.relowner, 'USAGE') HAVING count(*) > 0))
  FROM (SELECT 1) one LEFT JOIN pg_namespace n ON n.nspname = 'pgusher'
