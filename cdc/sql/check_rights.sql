-- $1 text[]: what workers are granted, "PRIVILEGES ON OBJECTS" as GRANT has it. One row for each of them that this role lacks, in part
-- or whole, and the role. The schema exists.
SELECT g.text, current_user
  FROM unnest($1::text[]) WITH ORDINALITY g(text, place)
 CROSS JOIN LATERAL (SELECT split_part(g.text, ' ON ', 1), split_part(g.text, ' ON ', 2)) h(privileges, objects)
 CROSS JOIN LATERAL unnest(string_to_array(h.privileges, ', ')) p(privilege)
 WHERE NOT CASE
       WHEN h.objects = 'SCHEMA pgusher' THEN has_schema_privilege('pgusher', p.privilege)
       WHEN h.objects LIKE 'ALL TABLES %' THEN
           (SELECT bool_and(has_table_privilege(oid, p.privilege)) FROM pg_class
             WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'pgusher') AND relkind IN ('r', 'v'))
       WHEN h.objects LIKE 'ALL SEQUENCES %' THEN
           (SELECT bool_and(has_sequence_privilege(oid, p.privilege)) FROM pg_class
             WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'pgusher') AND relkind = 'S')
       WHEN h.objects LIKE 'ALL FUNCTIONS %' THEN
           (SELECT bool_and(has_function_privilege(oid, p.privilege)) FROM pg_proc
             WHERE pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'pgusher') AND proname !~ '^capture_\d+$')
       ELSE (SELECT bool_and(has_table_privilege(c.oid, p.privilege))
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname || '.' || c.relname = ANY (string_to_array(h.objects, ', ')))
       END
 GROUP BY g.place, g.text
 ORDER BY g.place
