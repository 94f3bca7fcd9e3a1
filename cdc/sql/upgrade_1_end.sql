-- The triggers call the new functions by now. Not CASCADE: somebody may have built on the old tables, and should hear of it.
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'pgusher_1'::regnamespace LOOP
        EXECUTE 'DROP FUNCTION ' || name;
    END LOOP;
END$$;
DROP TABLE pgusher_1.quarantine, pgusher_1.watch, pgusher_1.fleet, pgusher_1.changelog, pgusher_1.capture, pgusher_1.meta;
DROP SCHEMA pgusher_1;
