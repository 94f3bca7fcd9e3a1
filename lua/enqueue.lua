#!lua
-- enqueue: puts items on a queue; an item that waits already is not queued twice.
--
-- KEYS   the ten of the queue (parts/keys.lua)
-- ARGV   [1] '1' to coalesce, '0' to push always (queues that plain programs LPUSH to), '' as Q:meta says
--        [2] '' at the back; 'later' in the lane of those that wait until nothing else does (a backfill's); 'sooner'
--        at the back if they are in that lane, else nothing is done about them
--        then the items, 1,000 at most
-- Reply  per item an integer: 0 queued, 1 coalesced (it waits already; if in the lane, it has left it for the back,
--        unless it is to come later), 2 dirty (in flight: it goes round once more after the ack), 3 joined (it was
--        delayed and its time will come), 4 revived (it was dead), 5 absent ('sooner': it is not in the lane)
-- Cost   O(items), and O(log lane) for each while anything is in the lane. Refused (OOM) while Redis is above
--        maxmemory: that is the back-pressure.
-- Never  loses an item, queues an item twice, or stays silent about a change of an item in flight.

--@include parts/keys.lua
local QUEUED, COALESCED, MARKED_DIRTY, JOINED, REVIVED, ABSENT = 0, 1, 2, 3, 4, 5

local failed = check_call('enqueue', {}, 3)
if not failed and ARGV[1] ~= '0' and ARGV[1] ~= '1' and ARGV[1] ~= '' then
  failed = 'ERR enqueue needs 1, 0 or nothing as its first argument'
end
local lane = ARGV[2]
if not failed and lane ~= '' and lane ~= 'later' and lane ~= 'sooner' then
  failed = 'ERR enqueue needs "later", "sooner" or nothing as its second argument'
end
for i = 3, #ARGV do
  if ARGV[i] == '' then
    failed = failed or 'ERR item ' .. (i - 2) .. ' is empty'
  end
end
if failed then
  return redis.error_reply(failed)
end

--@include parts/time.lua
--@include parts/waiting.lua
--@include parts/later_limits.lua
--@include parts/later.lua

local wanted = ARGV[1] == '' and coalesce or ARGV[1] == '1'
if wanted ~= coalesce then
  coalesce = wanted
  redis.call('HSET', key.meta, 'coalesce', wanted and '1' or '0')
end

if length == 0 and size[key.marks] > 0 then
  redis.call('UNLINK', key.marks) -- plain consumers, who drop none, have taken everything
end

local function revive(item)
  local revived = size[key.dead] > 0 and redis.call('ZREM', key.dead, item) == 1
  if revived then
    redis.call('HDEL', key.failures, item)
  end
  return revived
end

-- Returns whether it did not wait already.
local function put(item)
  if lane == 'later' then
    return later.add(item)
  end
  local fresh = not later.remove(item)
  waiting.push_back(item)
  return fresh
end

local function enqueue(item)
  if not coalesce then
    return put(item) and QUEUED or COALESCED
  end
  if size[key.inflight] > 0 and redis.call('HEXISTS', key.inflight, item) == 1 then
    redis.call('SADD', key.dirty, item)
    return MARKED_DIRTY
  end
  if waiting.has(item) then
    return COALESCED
  end
  if size[key.delayed] > 0 and redis.call('ZSCORE', key.delayed, item) then
    return JOINED
  end
  local revived = revive(item)
  local fresh = put(item)
  return revived and REVIVED or fresh and QUEUED or COALESCED
end

local function hurry(item)
  if not later.remove(item) then
    return ABSENT
  end
  waiting.push_back(item)
  return COALESCED
end

local replies, queued = {}, 0
for i = 3, #ARGV do
  local outcome = lane == 'sooner' and hurry(ARGV[i]) or enqueue(ARGV[i])
  replies[#replies + 1] = outcome
  queued = queued + ((outcome == QUEUED or outcome == REVIVED) and 1 or 0)
end
later.move_on()
waiting.save()
if queued > 0 then
  redis.call('HINCRBY', key.meta, 'queued', queued)
end
if queued < #replies and lane ~= 'sooner' then
  redis.call('HINCRBY', key.meta, 'coalesced', #replies - queued)
end
return replies
