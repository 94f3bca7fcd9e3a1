-- epoch: the number that grows whenever PostgreSQL's history is another than before.
--
-- KEYS   [1] pgusher:epoch, a hash: epoch, identity
-- ARGV   [1] identity of the database's history: system identifier and timeline
-- Reply  the epoch that versions of this history carry, an integer from 0 to 1023
-- Cost   O(1)
-- Never  gives two histories that follow each other the same epoch.

local MAX_EPOCH = 1023
local stored = redis.call('HMGET', KEYS[1], 'epoch', 'identity')
local epoch = tonumber(stored[1]) or 0

if stored[2] == ARGV[1] then
  return epoch
end
if stored[2] then
  epoch = epoch + 1
end
if epoch > MAX_EPOCH then
  return redis.error_reply('ERR the epoch in ' .. KEYS[1] .. ' is used up; flush this Redis and backfill')
end
redis.call('HSET', KEYS[1], 'epoch', epoch, 'identity', ARGV[1])
return epoch
