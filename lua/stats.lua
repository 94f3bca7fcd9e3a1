#!lua flags=no-writes
-- stats: the figures of a queue.
--
-- KEYS   the ten of the queue (parts/keys.lua), [11] Q-processing, then Q:processing:<consumer> of each consumer
--        named
-- ARGV   the consumers, in the order of their lists
-- Reply  [1] now, ms since 1970; then [2] waiting [3] in flight [4] dirty [5] delayed [6] dead [7] in the hands of
--        plain consumers; ms since when: [8] the oldest waiting one waits, [9] the oldest in flight is held, each -1
--        when there is none or nobody knows (pushed by a plain program); [10] ms until the next delayed one is due, -1
--        none; [11] Q:meta, as HGETALL gives it; [12] per consumer: name, ms its lease lasts still, items, ms since
--        its oldest was reserved; [13] in the lane for later, [14] ms since when the oldest is there, -1 none
-- Cost   O(consumers)
-- Writes nothing.

--@include parts/keys.lua

local failed = check_call('stats', {'LLEN'}, 1)
if not failed and #KEYS ~= 11 + #ARGV then
  failed = 'ERR stats needs as many lists as consumers'
end
if failed then
  return redis.error_reply(failed)
end

--@include parts/time.lua
--@include parts/holder.lua

-- Since when something stands at `place`, as parts/waiting.lua keeps it.
local function since(place)
  local clock = redis.call('HGET', key.meta, 'clock') or ''
  local found
  for from, ms in string.gmatch(clock, '(%-?%d+):(%d+)') do
    if tonumber(from) <= place or not found then
      found = ms
    end
  end
  return found
end

local function age_of_waiting()
  local length = size[key.waiting]
  local seq = tonumber(redis.call('HGET', key.meta, 'seq') or 0)
  local oldest = length > 0 and since(seq - length + 1)
  return oldest and math.max(now - oldest, 0) or -1
end

-- What blocking moves brought stands left of the oldest that is held.
local function age_of_held(list)
  for _, item in ipairs(redis.call('LRANGE', list, 0, 3)) do
    local token = holder.read(redis.call('HGET', key.inflight, item))
    if token then
      return math.max(now - math.floor(token / 1000), 0)
    end
  end
  return -1
end

local function next_due()
  local first = redis.call('ZRANGE', key.delayed, 0, 0, 'WITHSCORES')
  return first[2] and math.max(first[2] - now, 0) or -1
end

local function age_of_later()
  local first = redis.call('ZRANGE', key.later, 0, 0, 'WITHSCORES')
  return first[2] and math.max(now - first[2], 0) or -1
end

local consumers, oldest_held = {}, -1
for i, consumer in ipairs(ARGV) do
  local list = KEYS[11 + i]
  local age = age_of_held(list)
  local lease = redis.call('ZSCORE', key.consumers, consumer)
  oldest_held = math.max(oldest_held, age)
  consumers[i] = {consumer, lease and lease - now or 0, size[list], age}
end
return {
  now, size[key.waiting], size[key.inflight], size[key.dirty], size[key.delayed], size[key.dead], size[KEYS[11]],
  age_of_waiting(), oldest_held, next_due(), redis.call('HGETALL', key.meta), consumers,
  size[key.later], age_of_later(),
}
