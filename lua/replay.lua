#!lua
-- replay: dead letters are queued again, with their counts reset.
--
-- KEYS   the ten of the queue (parts/keys.lua)
-- ARGV   the items, 1,000 at most
-- Reply  per item an integer: 1 replayed, 0 it is not dead
-- Cost   O(log dead) an item. Refused (OOM) while Redis is above maxmemory.

--@include parts/keys.lua

local failed = check_call('replay', {}, 1)
if failed then
  return redis.error_reply(failed)
end

--@include parts/time.lua
--@include parts/waiting.lua

local function replay(item)
  if redis.call('ZREM', key.dead, item) == 0 then
    return 0
  end
  redis.call('HDEL', key.failures, item)
  waiting.push_new({item})
  return 1
end

local replies, replayed = {}, 0
for i, item in ipairs(ARGV) do
  replies[i] = replay(item)
  replayed = replayed + replies[i]
end
waiting.save()
if replayed > 0 then
  redis.call('HINCRBY', key.meta, 'replayed', replayed)
end
return replies
