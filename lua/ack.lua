#!lua flags=allow-oom
-- ack: items are done. One that changed meanwhile goes round once more.
--
-- KEYS   the nine of the queue (parts/keys.lua), [10] Q:processing:<consumer>
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

--@include parts/held.lua

local held = KEYS[10]
local places = places_held(ARGV[2] .. ' ' .. ARGV[1], 3, 1)
local requeued = 0

local function forget_failures()
  for from = 1, #places, CHUNK do
    redis.call('HDEL', key.failures, unpack(items_at(places, from, from + CHUNK - 1)))
  end
end

if #places == 0 then
  return {0, 0, #ARGV - 2}
end
let_go(held, places)
if size[key.failures] > 0 then
  forget_failures()
end
if size[key.dirty] > 0 then
--@include parts/time.lua
--@include parts/waiting.lua
  for _, place in ipairs(places) do
    if redis.call('SREM', key.dirty, ARGV[place]) == 1 then
      requeued = requeued + 1
      if not waiting.has(ARGV[place]) then
        waiting.push_back(ARGV[place])
      end
    end
  end
  waiting.save()
end
redis.call('HINCRBY', key.meta, 'acked', #places)
if requeued > 0 then
  redis.call('HINCRBY', key.meta, 'requeued', requeued)
end
return {#places, requeued, #ARGV - 2 - #places}
