#!lua flags=allow-oom
-- purge: throws away the dead letters, or everything.
--
-- KEYS   the ten of the queue (parts/keys.lua), [11] Q-processing, [12] Q:seen, then for 'all'
--        Q:processing:<consumer> of every registered consumer
-- ARGV   [1] 'dead' or 'all'
-- Reply  how many items were thrown away; or, for 'all', TRYAGAIN, and nothing is done: a consumer has come whose list
--        is not named, so ask for the registry again
-- Cost   dead: O(dead letters, 1,000 a call; call again until 0). all: O(consumers). Works above maxmemory.
--
-- The counters, the settings, and the registry stay. What consumers are handling is handled to the end; their acks will
-- be stale.

--@include parts/keys.lua

local failed = check_call('purge', {'LLEN', 'ZCARD'}, 2)
if not failed and ARGV[1] ~= 'dead' and ARGV[1] ~= 'all' then
  failed = 'ERR purge needs "dead" or "all"'
end
if failed then
  return redis.error_reply(failed)
end

local function purge_dead()
  local items = redis.call('ZRANGE', key.dead, 0, MAX_ITEMS - 1)
  if #items > 0 then
    redis.call('ZREM', key.dead, unpack(items))
    redis.call('HDEL', key.failures, unpack(items))
  end
  return #items
end

local function has_all_lists()
  local named = {}
  for i = 13, #KEYS do
    named[KEYS[i]] = true
  end
  for _, consumer in ipairs(redis.call('ZRANGE', key.consumers, 0, -1)) do
    if not named[key.waiting .. ':processing:' .. consumer] then
      return false
    end
  end
  return true
end

local function purge_all()
  if not has_all_lists() then
    return redis.error_reply('TRYAGAIN the list of a consumer was not named')
  end
  local count = size[key.waiting] + size[key.later] + size[key.delayed] + size[key.dead] + size[KEYS[11]]
  for i = 13, #KEYS do
    count = count + size[KEYS[i]]
    redis.call('UNLINK', KEYS[i])
  end
  redis.call('UNLINK', key.waiting, key.marks, key.later, key.inflight, key.dirty, key.delayed, key.dead,
    key.failures, KEYS[11], KEYS[12])
  return count
end

return ARGV[1] == 'dead' and purge_dead() or purge_all()
