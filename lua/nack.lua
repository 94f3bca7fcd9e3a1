#!lua flags=allow-oom
-- nack: the handler refused items. Each is tried again later; one that failed too often becomes a dead letter.
--
-- KEYS   the ten of the queue (parts/keys.lua), [11] Q:processing:<consumer>
-- ARGV   [1] consumer  [2] token, then per item: item, delay in ms before the next attempt (-1: bury it, no attempt
--        helps), reason (512 bytes are kept); 1,000 items at most
-- Reply  per item an integer: 0 stale (not held under this token: nothing done), 1 delayed, 2 dead
-- Cost   O(log delayed + log dead) an item. Works above maxmemory.
-- Never  kills an item that changed while in flight: the new state may well pass.

--@include parts/keys.lua

local STEP = 3
local STALE, DELAYED, DEAD = 0, 1, 2

local failed = check_call('nack', {'LLEN'}, 3, STEP)
if not failed and (#ARGV - 2) % STEP ~= 0 then
  failed = 'ERR nack needs item, delay and reason of each item'
end
for i = 4, #ARGV, STEP do
  if not string.match(ARGV[i], '^%-?%d+$') then
    failed = failed or 'ERR the delay "' .. ARGV[i] .. '" is no number of ms'
  end
end
if failed then
  return redis.error_reply(failed)
end

--@include parts/time.lua
--@include parts/holder.lua
--@include parts/held.lua
--@include parts/failures.lua

local max_failures = failures.limit('max_failures')
local places = places_held(holder.of(ARGV[2], ARGV[1]), 3, STEP)
local replies, dead = {}, 0

local function refuse(item, delay, reason)
  local failed_before, crashed = failures.read(item)
  local dirty = redis.call('SREM', key.dirty, item) == 1
  failures.write(item, failed_before + 1, crashed, reason)
  if not dirty and (delay < 0 or failed_before + 1 >= max_failures) then
    redis.call('ZADD', key.dead, now, item)
    dead = dead + 1
    return DEAD
  end
  redis.call('ZADD', key.delayed, now + math.max(delay, 0), item)
  return DELAYED
end

for i = 1, (#ARGV - 2) / STEP do
  replies[i] = STALE
end
if #places == 0 then
  return replies
end
let_go(KEYS[11], places)
for _, at in ipairs(places) do
  replies[(at - 3) / STEP + 1] = refuse(ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2])
end
redis.call('HINCRBY', key.meta, 'failed', #places)
if dead > 0 then
  redis.call('HINCRBY', key.meta, 'died', dead)
end
return replies
