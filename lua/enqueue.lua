#!lua
-- enqueue: puts items on a queue; an item that waits already is not queued twice.
--
-- KEYS   the nine of the queue (parts/keys.lua)
-- ARGV   [1] '1' to coalesce, '0' to push always (queues that plain programs LPUSH to), '' as Q:meta says
--        then the items, 1,000 at most
-- Reply  per item an integer: 0 queued, 1 coalesced (it waits already), 2 dirty (in flight: it goes round once
--        more after the ack), 3 joined (it was delayed and its time will come), 4 revived (it was dead)
-- Cost   O(items). Refused (OOM) while Redis is above maxmemory: that is the back-pressure.
-- Never  loses an item, queues an item twice, or stays silent about a change of an item in flight.

--@include parts/keys.lua
local QUEUED, COALESCED, MARKED_DIRTY, JOINED, REVIVED = 0, 1, 2, 3, 4

local failed = check_call('enqueue', {}, 2)
if not failed and ARGV[1] ~= '0' and ARGV[1] ~= '1' and ARGV[1] ~= '' then
  failed = 'ERR enqueue needs 1, 0 or nothing as its first argument'
end
for i = 2, #ARGV do
  if ARGV[i] == '' then
    failed = failed or 'ERR item ' .. (i - 1) .. ' is empty'
  end
end
if failed then
  return redis.error_reply(failed)
end

--@include parts/time.lua
--@include parts/waiting.lua

local wanted = ARGV[1] == '' and coalesce or ARGV[1] == '1'
if wanted ~= coalesce then
  coalesce = wanted
  redis.call('HSET', key.meta, 'coalesce', wanted and '1' or '0')
end

if length == 0 and size[key.marks] > 0 then
  redis.call('UNLINK', key.marks) -- plain consumers, who drop none, have taken everything
end

local function enqueue(item)
  if not coalesce then
    waiting.push_back(item)
    return QUEUED
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
  local revived = size[key.dead] > 0 and redis.call('ZREM', key.dead, item) == 1
  if revived then
    redis.call('HDEL', key.failures, item)
  end
  waiting.push_back(item)
  return revived and REVIVED or QUEUED
end

local replies = {}
for i = 2, #ARGV do
  replies[#replies + 1] = enqueue(ARGV[i])
end
waiting.save()
local queued = seq - first_seq
if queued > 0 then
  redis.call('HINCRBY', key.meta, 'queued', queued)
end
if queued < #replies then
  redis.call('HINCRBY', key.meta, 'coalesced', #replies - queued)
end
return replies
