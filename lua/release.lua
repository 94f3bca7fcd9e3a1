#!lua flags=allow-oom
-- release: items go back to the front untried, and no failure is counted: their consumer is shutting down, or what it
-- works for is down.
--
-- KEYS   the ten of the queue (parts/keys.lua), [11] Q:processing:<consumer>
-- ARGV   [1] consumer  [2] token, then the items, 1,000 at most; or token '*' and no items: all that the consumer
--        holds, and it leaves the registry. No blocking move of its own may be under way then.
-- Reply  how many items were released; stale ones are not
-- Cost   O(items). Works above maxmemory.

--@include parts/keys.lua

local failed = check_call('release', {'LLEN'}, 3)
if not failed and ARGV[2] == '*' and #ARGV > 2 then
  failed = 'ERR release of all takes no items'
end
if failed then
  return redis.error_reply(failed)
end

--@include parts/time.lua
--@include parts/waiting.lua
--@include parts/holder.lua
--@include parts/held.lua

local consumer, token, held = ARGV[1], ARGV[2], KEYS[11]

local function release_held()
  local places = places_held(holder.of(token, consumer), 3, 1)
  if #places == 0 then
    return 0
  end
  let_go(held, places)
  for i = #places, 1, -1 do -- the oldest comes to stand foremost
    redis.call('SREM', key.dirty, ARGV[places[i]])
    waiting.push_front(ARGV[places[i]])
  end
  return #places
end

-- A copy that another consumer holds carries a newer change.
local function release_copy(item)
  local other = holder.consumer(redis.call('HGET', key.inflight, item))
  if other and other ~= consumer then
    redis.call('SADD', key.dirty, item)
    return
  end
  redis.call('HDEL', key.inflight, item)
  redis.call('SREM', key.dirty, item)
  waiting.push_front(item)
end

-- Left to right: what blocking moves brought, newest first, then what is held, oldest first. What is pushed last stands
-- foremost.
local function leave()
  local left = redis.call('LRANGE', held, 0, -1)
  local adopted = {}
  redis.call('DEL', held)
  for _, item in ipairs(left) do
    if redis.call('HEXISTS', key.inflight, item) == 1 then
      adopted[#adopted + 1] = item
    else
      release_copy(item)
    end
  end
  for i = #adopted, 1, -1 do
    release_copy(adopted[i])
  end
  redis.call('ZREM', key.consumers, consumer)
  return #left
end

local released = token == '*' and leave() or release_held()
if released > 0 then
  waiting.save()
  redis.call('HINCRBY', key.meta, 'released', released)
end
return released
