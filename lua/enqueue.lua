-- enqueue: puts items on a queue; an item that waits already is not queued twice.
--
-- KEYS   Q, Q:marks, Q:inflight, Q:dirty, Q:meta, Q:delayed, Q:dead, Q:failures
-- ARGV   [1] '1' to coalesce, '0' to push always (queues that plain producers LPUSH to)
--        then the items, 1,000 at most
-- Reply  per item an integer: 0 queued, 1 coalesced (it waits already), 2 dirty (in flight: it goes round once
--        more after the ack), 3 joined (it was delayed and its time will come), 4 revived (it was dead)
-- Cost   O(items)
-- Never  loses an item, queues an item twice, or stays silent about a change of an item in flight.
--
-- Waiting, exactly, in O(1): every insert increments seq; removals so far are seq - LLEN(Q), because items leave
-- only at the tail. An item whose mark (its insert number) is greater than that count is still waiting.

local Q, MARKS, INFLIGHT, DIRTY = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local META, DELAYED, DEAD, FAILURES = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local QUEUED, COALESCED, MARKED_DIRTY, JOINED, REVIVED = 0, 1, 2, 3, 4
local MAX_ITEMS = 1000

local TYPES = {'list', 'hash', 'hash', 'set', 'hash', 'zset', 'zset', 'hash'}

-- Redis does not roll a script back: everything that can fail is looked at before the first write.
local function check()
  if #KEYS ~= #TYPES then
    return 'ERR enqueue needs ' .. #TYPES .. ' keys'
  end
  if ARGV[1] ~= '0' and ARGV[1] ~= '1' or #ARGV > MAX_ITEMS + 1 then
    return 'ERR enqueue needs the coalesce flag and at most ' .. MAX_ITEMS .. ' items'
  end
  for i, expected in ipairs(TYPES) do
    local found = redis.call('TYPE', KEYS[i]).ok
    if found ~= 'none' and found ~= expected then
      return 'WRONGTYPE ' .. KEYS[i] .. ' is a ' .. found .. ', not a ' .. expected ..
        ': another program uses the name of this queue'
    end
  end
end

local failed = check()
if failed then
  return redis.error_reply(failed)
end

local coalesce = ARGV[1] == '1'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local seq = tonumber(redis.call('HGET', META, 'seq') or 0)
local length = redis.call('LLEN', Q)
local first_seq = seq

if coalesce and length == 0 then
  redis.call('UNLINK', MARKS) -- nothing waits: all marks are of the past
end

local function push(item)
  seq = seq + 1
  length = redis.call('LPUSH', Q, item)
  if coalesce then
    redis.call('HSET', MARKS, item, seq .. ':' .. now)
  end
end

local function is_waiting(item)
  local mark = redis.call('HGET', MARKS, item)
  return mark and tonumber(string.match(mark, '^%d+')) > seq - length
end

local function enqueue(item)
  if not coalesce then
    push(item)
    return QUEUED
  end
  if redis.call('HEXISTS', INFLIGHT, item) == 1 then
    redis.call('SADD', DIRTY, item)
    return MARKED_DIRTY
  end
  if is_waiting(item) then
    return COALESCED
  end
  if redis.call('ZSCORE', DELAYED, item) then
    return JOINED
  end
  local revived = redis.call('ZREM', DEAD, item) == 1
  if revived then
    redis.call('HDEL', FAILURES, item)
  end
  push(item)
  return revived and REVIVED or QUEUED
end

local replies = {}
for i = 2, #ARGV do
  replies[#replies + 1] = enqueue(ARGV[i])
end
if seq ~= first_seq then
  redis.call('HSET', META, 'seq', seq)
end
return replies
