#!lua flags=allow-oom
-- recover_plain: takes back what plain consumers (RPOPLPUSH Q Q-processing, then LREM) have left lying.
--
-- KEYS   the ten of the queue (parts/keys.lua), [11] Q-processing, [12] Q:seen
-- ARGV   [1] how long an item may be in their hands, ms: longer than the longest they ever need; '' as Q:meta says
--        (plain_timeout; 1 h)
--        [2] how many of the oldest items are looked at, 1 to 1,000
-- Reply  how many items were queued again
-- Cost   O(items looked at). Works above maxmemory.
--
-- Plain consumers do not say when they took an item, so Q:seen keeps when this script first saw it: an item is taken
-- back when it has been seen in every look for that long. One that is taken again between two looks, again and again,
-- looks the same and may be handled twice. No crash is counted: a plain consumer's LREM could not clear the count.
-- Nor do they know of the lane for later: what is there is moved on to the list as lua/promote.lua does.

--@include parts/keys.lua

local failed = check_call('recover_plain', {'LLEN', 'ZCARD'}, 3)
local window = tonumber(ARGV[2])
if not failed and (ARGV[1] ~= '' and not tonumber(ARGV[1]) or not window or window < 1 or window > MAX_ITEMS) then
  failed = 'ERR recover_plain needs a timeout in ms and a window of 1 to ' .. MAX_ITEMS .. ' items'
end
if failed then
  return redis.error_reply(failed)
end

--@include parts/time.lua
--@include parts/waiting.lua
--@include parts/later_limits.lua
--@include parts/later.lua

local DEFAULT_TIMEOUT_MS = 3600000
local plain, seen = KEYS[11], KEYS[12]
local timeout = tonumber(ARGV[1]) or tonumber(redis.call('HGET', key.meta, 'plain_timeout') or DEFAULT_TIMEOUT_MS)
local recovered = 0

local function take_back(item)
  redis.call('LREM', plain, -1, item)
  redis.call('ZREM', seen, item)
  recovered = recovered + 1
  if redis.call('HEXISTS', key.inflight, item) == 1 then
    redis.call('SADD', key.dirty, item)
    return
  end
  if not waiting.has(item) and not redis.call('ZSCORE', key.delayed, item) then
    waiting.forget_other_places({item})
    waiting.push_back({item})
  end
end

local function forget_the_gone(present)
  for _, item in ipairs(redis.call('ZRANGE', seen, 0, MAX_ITEMS - 1)) do
    if not present[item] then
      redis.call('ZREM', seen, item)
    end
  end
end

local present = {}
local oldest = redis.call('LRANGE', plain, -window, -1)
for i = #oldest, 1, -1 do
  local item = oldest[i]
  if not present[item] then
    present[item] = true
    redis.call('ZADD', seen, 'NX', now, item)
    if now - redis.call('ZSCORE', seen, item) >= timeout then
      take_back(item)
    end
  end
end
forget_the_gone(present)
later.move_on()
waiting.save()
if recovered > 0 then
  redis.call('HINCRBY', key.meta, 'recovered', recovered)
end
return recovered
