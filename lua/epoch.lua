-- epoch: the number that grows whenever PostgreSQL's history is another than before.
--
-- KEYS   [1] pgusher:epoch, a hash: epoch, identity
-- ARGV   [1] identity of the database's history: system identifier/timeline (hexadecimal)
--        [2] the lowest epoch that this history may have: what the database itself remembers
--        [3] '1' if the history is another although its identity is the same (the server went back in time)
-- Reply  the epoch that versions of this history carry, an integer from 0 to 1023; or -1: a later timeline of this
--        system was followed already, so this server is a former primary, and nothing was changed
-- Cost   O(1)
-- Never  gives two histories that follow each other the same epoch.

local MAX_EPOCH = 1023
local stored = redis.call('HMGET', KEYS[1], 'epoch', 'identity')
local floor = tonumber(ARGV[2])

local function split(identity)
  return string.match(identity or '', '^(.*)/(%x+)$')
end

local function is_former(identity)
  local system, timeline = split(identity)
  local ours, our_timeline = split(ARGV[1])
  return system and system == ours and tonumber(our_timeline, 16) < tonumber(timeline, 16)
end

if is_former(stored[2]) then
  return -1
end

-- Lua reads nan, inf and 0x10 as numbers, too.
if stored[1] and not stored[1]:match('^%d+$') then
  return redis.error_reply('ERR the epoch in ' .. KEYS[1] .. ' is no number: another program wrote it; delete that key')
end

local epoch = floor
if stored[1] then
  local same = stored[2] == ARGV[1] and ARGV[3] ~= '1'
  epoch = math.max(floor, tonumber(stored[1]) + (same and 0 or 1))
end
if epoch > MAX_EPOCH then
  return redis.error_reply('ERR the epoch in ' .. KEYS[1] .. ' is used up; flush this Redis and start again')
end
if epoch ~= tonumber(stored[1]) or stored[2] ~= ARGV[1] then
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'identity', ARGV[1])
end
return epoch
