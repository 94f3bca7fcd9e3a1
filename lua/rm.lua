#!lua flags=allow-oom
-- rm: removes items from the queue, wherever they are.
--
-- KEYS   the ten of the queue (parts/keys.lua), [11] Q-processing, [12] Q:seen, then Q:processing:<consumer> of every
--        registered consumer
-- ARGV   [1] how many consumers, then their names in the order of their lists, then the items, 1,000 at most
-- Reply  per item an integer: 1 removed, 0 it was nowhere; or TRYAGAIN, and nothing is done: a consumer not among the
--        named holds one, so ask for the registry again
-- Cost   O(waiting) an item: the list is searched. Works above maxmemory.
--
-- Items that stood before a removed one may be queued once more than needed when they change.
-- An item that is being handled is handled to the end; its ack will be stale.

--@include parts/keys.lua

local failed = check_call('rm', {'LLEN', 'ZCARD'}, 2 + (tonumber(ARGV[1]) or 0))
local consumers = tonumber(ARGV[1])
if not failed and (not consumers or #KEYS ~= 12 + consumers) then
  failed = 'ERR rm needs the number of consumers, their names, and as many lists'
end
if failed then
  return redis.error_reply(failed)
end

--@include parts/time.lua
--@include parts/waiting.lua
--@include parts/holder.lua

local list_of = {}
for i = 1, consumers do
  list_of[ARGV[1 + i]] = KEYS[12 + i]
end

local function remove_waiting(item)
  local removed = redis.call('LREM', key.waiting, 0, item)
  length = length - removed
  redis.call('HDEL', key.marks, item)
  return removed
end

local function rm(item)
  local removed = remove_waiting(item) + redis.call('ZREM', key.later, item) + redis.call('HDEL', key.inflight, item) +
    redis.call('ZREM', key.delayed, item) + redis.call('ZREM', key.dead, item) +
    redis.call('LREM', KEYS[11], 0, item)
  for _, list in pairs(list_of) do
    removed = removed + redis.call('LREM', list, 0, item)
  end
  redis.call('SREM', key.dirty, item)
  redis.call('HDEL', key.failures, item)
  redis.call('ZREM', KEYS[12], item)
  return removed > 0 and 1 or 0
end

local function held_by_unnamed(item)
  local name = holder.consumer(redis.call('HGET', key.inflight, item))
  return name and not list_of[name] and redis.call('ZSCORE', key.consumers, name)
end

for i = 2 + consumers, #ARGV do
  if held_by_unnamed(ARGV[i]) then
    return redis.error_reply('TRYAGAIN a consumer that was not named holds item ' .. (i - 1 - consumers))
  end
end
local replies = {}
for i = 2 + consumers, #ARGV do
  replies[#replies + 1] = rm(ARGV[i])
end
waiting.save()
return replies
