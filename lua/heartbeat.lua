#!lua flags=allow-oom
-- heartbeat: renews the lease of a consumer that is at work.
--
-- KEYS   the ten of the queue (parts/keys.lua)
-- ARGV   [1] consumer  [2] lease, ms
-- Reply  1, or 0 when the consumer is not registered (any more): its items have been given to others
-- Cost   O(log consumers). Works above maxmemory.

--@include parts/keys.lua

local failed = check_call('heartbeat', {}, 3)
if failed then
  return redis.error_reply(failed)
end

--@include parts/time.lua

if size[key.consumers] == 0 or not redis.call('ZSCORE', key.consumers, ARGV[1]) then
  return 0
end
redis.call('ZADD', key.consumers, now + ARGV[2], ARGV[1])
return 1
