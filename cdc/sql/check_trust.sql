-- $1 oid[]: sources; $2 text[]: schemas.sql's. What others may do to what this role reads. One row each: 0 kind, 1 and 2:
--   open      a schema on the search_path in which everybody may create functions and operators, this role
--   secured   a table of which row-level security may hide rows, the role as which it is read: this one, or the owner of the view. Its own
--             tables, those of who is above that, and a policy that shows all, are nothing to be told
WITH RECURSIVE tree AS (
    SELECT s AS relation, current_user::regrole::oid AS reader FROM unnest($1::oid[]) s
    UNION
    SELECT d.refobjid,
           CASE WHEN EXISTS (SELECT FROM pg_options_to_table(v.reloptions) o
                              WHERE o.option_name = 'security_invoker' AND o.option_value::boolean)
                THEN current_user::regrole::oid ELSE v.relowner END
      FROM tree t
      JOIN pg_class v ON v.oid = t.relation AND v.relkind = 'v'
      JOIN pg_rewrite r ON r.ev_class = t.relation
      JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
       AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> t.relation
), policies AS (
    SELECT t.relation, t.reader, p.polpermissive, pg_get_expr(p.polqual, p.polrelid) AS shows
      FROM tree t JOIN pg_policy p ON p.polrelid = t.relation AND p.polcmd IN ('r', '*')
     WHERE EXISTS (SELECT FROM unnest(p.polroles) r WHERE r = 0 OR pg_has_role(t.reader, r, 'USAGE'))
)
SELECT 'open', quote_ident(n.nspname), current_user::regrole::text
  FROM pg_namespace n
 WHERE n.nspname = ANY ($2::text[])
   AND EXISTS (SELECT FROM aclexplode(n.nspacl) a WHERE a.grantee = 0 AND a.privilege_type = 'CREATE')
UNION ALL
SELECT 'secured', t.relation::regclass::text, t.reader::regrole::text
  FROM tree t
  JOIN pg_class c ON c.oid = t.relation AND c.relrowsecurity
  JOIN pg_roles reader ON reader.oid = t.reader AND NOT reader.rolsuper AND NOT reader.rolbypassrls
 WHERE (c.relforcerowsecurity OR NOT pg_has_role(t.reader, c.relowner, 'USAGE'))
   AND (NOT EXISTS (SELECT FROM policies p WHERE p.relation = t.relation AND p.reader = t.reader AND p.polpermissive AND p.shows = 'true')
        OR EXISTS (SELECT FROM policies p WHERE p.relation = t.relation AND p.reader = t.reader AND NOT p.polpermissive))
 ORDER BY 1, 2, 3
