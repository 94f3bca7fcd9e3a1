-- What fleets there are, of schema version 1 too; only asked when the schema exists. One row per fleet, one with NULL if there is
-- none: 0 name, 1 number (in version 1: what the upgrade gives it), 2 schema version, 3 partitions (NULL in version 1).
SELECT f.name, coalesce(to_jsonb(f) ->> 'number', (row_number() OVER (ORDER BY f.name) - 1)::text), m.schema_version,
       to_jsonb(m) ->> 'partitions'
  FROM pgusher.meta m LEFT JOIN pgusher.fleet f ON true
 ORDER BY f.name
