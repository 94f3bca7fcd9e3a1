#!lua flags=allow-oom
-- ack: items are done. One that changed meanwhile goes round once more.
--
-- KEYS   the ten of the queue (parts/keys.lua), [11] Q:processing:<consumer>
-- ARGV   [1] consumer  [2] token, then the items, 1,000 at most; cheapest all of a reservation, or in its order
-- Reply  [1] acked, and of these  [2] queued again, because they changed  [3] stale: not held under this token (any
--        more): nothing was done about them
-- Cost   O(items) for a whole reservation or in its order. Works above maxmemory.
-- Never  touches an item that is held by another or under another token; never drops a change made while in flight.

--@include parts/keys.lua

local failed = check_call('ack', {'LLEN'}, 3)
if failed then
  return redis.error_reply(failed)
end

--@include parts/time.lua
--@include parts/waiting.lua
--@include parts/holder.lua
--@include parts/held.lua
--@include parts/done.lua

local acked, requeued = ack_items(KEYS[11], holder.of(ARGV[2], ARGV[1]), 3)
if requeued > 0 then
  waiting.save()
end
return {acked, requeued, #ARGV - 2 - acked}
