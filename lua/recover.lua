#!lua flags=allow-oom
-- recover: takes back what a dead consumer held.
--
-- KEYS   the ten of the queue (parts/keys.lua), [11] Q:processing:<the dead consumer>
-- ARGV   [1] the dead consumer  [2] how many items at most, 1 to 1,000
--        [3] run id of this Redis ('' when unknown)  [4] grace, ms: after a restart or a failover no lease runs out
--        for so long, because nobody could renew it
-- Reply  [1] 1 recovered, 0 left alone: its lease has not run out, or the grace lasts
--        [2] queued again  [3] dead letters (it crashed its owners too often)  [4] still to be recovered
-- Cost   O(items). Works above maxmemory.
-- Never  writes anything about a consumer that is alive. What was never delivered goes to the front without a
--        penalty, or is marked dirty where another holds the item: that copy carries a newer change.

--@include parts/keys.lua

local failed = check_call('recover', {'LLEN'}, 5)
local dead_consumer, max, run_id, grace = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
if not failed and (not max or max < 1 or max > MAX_ITEMS or not grace) then
  failed = 'ERR recover needs a consumer, 1 to ' .. MAX_ITEMS .. ' items, the run id, and the grace in ms'
end
if failed then
  return redis.error_reply(failed)
end

--@include parts/time.lua
--@include parts/waiting.lua
--@include parts/failures.lua
--@include parts/holder.lua

local held = KEYS[11]
local requeued, died = 0, 0

local function lease_runs()
  local lease = redis.call('ZSCORE', key.consumers, dead_consumer)
  if lease and tonumber(lease) >= now then
    return true
  end
  local known = redis.call('HMGET', key.meta, 'run_id', 'grace_until')
  if run_id ~= '' and known[1] ~= run_id then
    redis.call('HSET', key.meta, 'run_id', run_id)
    if known[1] then
      redis.call('HSET', key.meta, 'grace_until', now + grace)
      return true
    end
  end
  return tonumber(known[2] or 0) > now
end

local function recover_delivered(item, max_crashes)
  local failed_before, crashed = failures.read(item)
  local dirty = redis.call('SREM', key.dirty, item) == 1
  redis.call('HDEL', key.inflight, item)
  failures.write(item, failed_before, crashed + 1, 'its consumer ' .. dead_consumer .. ' died while holding it')
  if crashed + 1 >= max_crashes and not dirty and not waiting.has(item) then
    redis.call('ZADD', key.dead, now, item)
    died = died + 1
    return
  end
  requeued = requeued + 1
  waiting.push_new({item})
end

local function recover_copy(item)
  if redis.call('HEXISTS', key.inflight, item) == 1 then
    redis.call('SADD', key.dirty, item)
    return
  end
  requeued = requeued + 1
  waiting.push_front(item)
end

-- From the left: undelivered copies, newest first, so that the oldest comes to stand foremost; then the delivered
-- items, oldest first.
local function recover_all()
  local max_crashes = failures.limit('max_crashes')
  for _ = 1, max do
    local item = redis.call('LPOP', held)
    if not item then
      break
    end
    if holder.consumer(redis.call('HGET', key.inflight, item)) == dead_consumer then
      recover_delivered(item, max_crashes)
    else
      recover_copy(item)
    end
  end
end

if lease_runs() then
  return {0, 0, 0, redis.call('LLEN', held)}
end
recover_all()
waiting.save()
local left = redis.call('LLEN', held)
if left == 0 then
  redis.call('ZREM', key.consumers, dead_consumer)
end
if requeued + died > 0 then
  redis.call('HINCRBY', key.meta, 'recovered', requeued + died)
end
if died > 0 then
  redis.call('HINCRBY', key.meta, 'died', died)
end
return {1, requeued, died, left}
