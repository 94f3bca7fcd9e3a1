-- What fleets there are, of schema version 1 too; only asked when the schema exists. One row per fleet, one with NULL if there is
-- none: 0 name, 1 number (in version 1: what the upgrade gives it), 2 schema version (0: a dump left the rows behind), 3 partitions
-- (NULL in version 1).
SELECT f.name, coalesce(to_jsonb(f) ->> 'number', (row_number() OVER (ORDER BY f.name) - 1)::text), coalesce(m.schema_version, 0),
       to_jsonb(m) ->> 'partitions'
  FROM (SELECT) one LEFT JOIN pgusher.meta m ON true LEFT JOIN pgusher.fleet f ON true
 ORDER BY f.name
