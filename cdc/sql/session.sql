-- What every session of ours pins, so that the same row is the same text whoever reads it, and so that each statement
-- has a snapshot of its own (the gate and the version depend on that).
-- What this program says means the same whoever else may create functions and operators here. What the configuration says is read with the
-- search_path of the fleet: see resume_load.
SET search_path = pg_catalog, pg_temp;
-- A server that does not know what its texts are sends them as they are, but would not take them back as UTF-8 when they are none.
SELECT set_config('client_encoding', 'SQL_ASCII', false) WHERE getdatabaseencoding() = 'SQL_ASCII';
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';
SET bytea_output = 'hex';
SET extra_float_digits = 1;
SET xmlbinary = 'base64';
SET lc_monetary = 'C';
SET standard_conforming_strings = on;
SET default_transaction_isolation = 'read committed';
SET synchronous_commit = off;
SET jit = off;
-- One document or a thousand, the plan is the same; planning anew for each change would double the latency.
SET plan_cache_mode = force_generic_plan;
SET max_parallel_workers_per_gather = 0;
-- The row with the snapshot must come first.
SET enable_async_append = off;
SET idle_in_transaction_session_timeout = 0;
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_session_timeout = 0;
-- The locks of a worker whose host died are what keeps the others from taking its partitions over: the server notices within
-- five seconds. Over a unix socket the first four do nothing; the last also ends a query whose asker is gone.
SET tcp_keepalives_idle = 2;
SET tcp_keepalives_interval = 1;
SET tcp_keepalives_count = 3;
SET tcp_user_timeout = 5000;
-- Only a server on a system that can tell accepts it.
DO $$
BEGIN
    PERFORM set_config('client_connection_check_interval', '1s', false);
EXCEPTION WHEN invalid_parameter_value OR undefined_object THEN
    NULL;
END $$;
-- There is none before PostgreSQL 17.
SELECT set_config('transaction_timeout', '0', false) WHERE current_setting('transaction_timeout', true) IS NOT NULL;
