#!lua flags=allow-oom
-- promote: keeps the list from running empty while items wait in the lane for later: for plain consumers, who know
-- nothing of the lane. Whoever puts items there calls it now and then until it is empty.
--
-- KEYS   the ten of the queue (parts/keys.lua)
-- ARGV   none
-- Reply  [1] how many were moved on to the list  [2] how many are in the lane still
-- Cost   O(100). Works above maxmemory.

--@include parts/keys.lua

local failed = check_call('promote', {}, 1)
if failed then
  return redis.error_reply(failed)
end

--@include parts/time.lua
--@include parts/waiting.lua
--@include parts/later_limits.lua
--@include parts/later.lua

local moved = later.move_on()
waiting.save()
return {moved, size[key.later]}
