#!lua flags=allow-oom
-- reserve: gives a consumer the items at the front, under a token of their own, and renews its lease.
--
-- KEYS   the ten of the queue (parts/keys.lua), [11] Q:processing:<consumer>
-- ARGV   [1] consumer: a name that no other incarnation ever had; it begins with no space and holds no NUL
--        [2] lease, ms  [3] how many items, 0 to 1,000
--        [4] the last token it was given, 0 at first: what a later one gave, in a reply that was lost, is given again
--        [5] '', or a token of its own under which the items that follow, 1,000 at most, are acked before (lua/ack.lua)
-- Reply  [1] token, '' without items     [2] how many items wait still, also in the lane for later
--        [3] ms until something falls due (a delayed item, another's lease), -1 nothing
--        [4] 1 while the queue is paused
--        [5] name of a consumer whose lease has run out, to be recovered, or ''
--        [6] 1 when the caller is elected to do the maintenance (recover_plain) now
--        [7] the items  [8] their attempts (1: the first), empty when all are first ones
--        [9] of the ack: acked, queued again, stale
-- Cost   O(items), and of what the consumer holds already. Works above maxmemory: draining makes room.
-- Never  gives an item that is in flight: such a copy carries a newer change and is marked dirty. Never loses what a
--        blocking move (BLMOVE Q Q:processing:<consumer> RIGHT LEFT) brought: it is adopted, even if its reply was
--        lost, unless it waits again meanwhile; and put back while the queue is paused. Never gives more than it
--        was asked for.
--
-- Q:processing:<consumer>, left to right: what blocking moves brought, then what it holds, oldest first.
-- Tokens grow with every reservation, across restarts too.

--@include parts/keys.lua

local consumer, lease, wanted, last_known = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local held = KEYS[11]
local MAINTENANCE_MS = 5000

local failed = check_call('reserve', {'LLEN'}, 6)
if not failed and (not consumer:match('^[^ %z]%Z*$') or not lease or lease < 1 or not wanted or wanted < 0 or
    wanted > MAX_ITEMS or not last_known) then
  failed = 'ERR reserve needs a consumer (whose name begins with no space and holds no NUL), a lease in ms, 0 to ' ..
    MAX_ITEMS .. ' items to give, and the last token'
end
if failed then
  return redis.error_reply(failed)
end

--@include parts/time.lua
--@include parts/waiting.lua
--@include parts/later_limits.lua
--@include parts/later.lua
--@include parts/holder.lua
--@include parts/held.lua
--@include parts/done.lua

local token = string.format('%.0f', math.max(tonumber(meta.token or 0) + 1, now * 1000))
local paused = meta.paused == '1'
local accepted = {}

-- Takes copies that have left the waiting list into the consumer's hands, but for those in flight.
local function deliver(items)
  local anything_held = size[key.inflight] > 0 or #accepted > 0
  local holders = anything_held and redis.call('HMGET', key.inflight, unpack(items)) or {}
  local fresh, pairs_of_fresh, twice = {}, {}, {}
  for i, item in ipairs(items) do
    if holders[i] or twice[item] then
      redis.call('SADD', key.dirty, item)
    else
      twice[item] = true
      fresh[#fresh + 1] = item
      accepted[#accepted + 1] = item
      pairs_of_fresh[#pairs_of_fresh + 1] = item
      pairs_of_fresh[#pairs_of_fresh + 1] = holder.of(token, consumer)
    end
  end
  if coalesce then
    redis.call('HDEL', key.marks, unpack(items))
  end
  if #fresh > 0 then
    waiting.forget_other_places(fresh)
    redis.call('RPUSH', held, unpack(fresh))
    redis.call('HSET', key.inflight, unpack(pairs_of_fresh))
  end
end

-- What the consumer's list holds and the consumer does not know of, oldest first: what a reservation gave whose reply
-- was lost (it is let go of here), and what blocking moves brought.
local function unknown_to_consumer()
  local list = redis.call('LRANGE', held, 0, -1)
  local known, lost, found = {}, {}, {}
  for i = #list, 1, -1 do
    local item = list[i]
    local given, owner = holder.read(redis.call('HGET', key.inflight, item))
    if owner ~= consumer or known[item] then
      found[#found + 1] = item
    elseif tonumber(given) <= last_known then
      known[item] = true
    else
      lost[#lost + 1] = item
      redis.call('HDEL', key.inflight, item)
    end
  end
  local unknown = {}
  for i = #lost, 1, -1 do
    unknown[#unknown + 1] = lost[i]
  end
  for _, item in ipairs(found) do
    unknown[#unknown + 1] = item
  end
  return unknown
end

local function adopt()
  local back = {}
  for _, item in ipairs(unknown_to_consumer()) do
    redis.call('LREM', held, 1, item)
    if redis.call('HEXISTS', key.inflight, item) == 1 then
      redis.call('SADD', key.dirty, item)
    elseif paused or #accepted >= wanted or waiting.has(item) then
      redis.call('SREM', key.dirty, item)
      back[#back + 1] = item
    else
      deliver({item})
    end
  end
  for i = #back, 1, -1 do
    waiting.push_front(back[i])
  end
end

local function promote_due()
  local due = redis.call('ZRANGEBYSCORE', key.delayed, '-inf', now, 'LIMIT', 0, MAX_ITEMS)
  if #due > 0 then
    redis.call('ZREM', key.delayed, unpack(due))
    waiting.push_new(due)
  end
end

local function pop()
  local rounds = 0
  while #accepted < wanted and length > 0 and rounds < 10 do
    local items = redis.call('RPOP', key.waiting, math.min(wanted - #accepted, CHUNK))
    length = length - #items
    deliver(items)
    rounds = rounds + 1
  end
end

-- From the lane for later when there is nothing else. Other consumers may be blocked at the list.
local function pop_later()
  while length == 0 and #accepted < wanted and size[key.later] > 0 do
    deliver(later.take(math.min(wanted - #accepted, CHUNK)))
  end
  later.move_on()
end

local function attempts_of(items)
  local attempts = {}
  if #items == 0 or size[key.failures] == 0 then
    return attempts
  end
  for i, record in ipairs(redis.call('HMGET', key.failures, unpack(items))) do
    local failures, crashes = string.match(record or '', '^(%d+) (%d+) ')
    attempts[i] = 1 + (failures or 0) + (crashes or 0)
  end
  return attempts
end

-- The consumer whose lease ends first, but for the caller.
local function first_to_expire(alone)
  local list = alone and {} or redis.call('ZRANGE', key.consumers, 0, 1, 'WITHSCORES')
  for i = 1, #list, 2 do
    if list[i] ~= consumer then
      return list[i], math.max(tonumber(list[i + 1]), tonumber(meta.grace_until or 0))
    end
  end
end

local function next_due(expires)
  local first = size[key.delayed] > 0 and redis.call('ZRANGE', key.delayed, 0, 0, 'WITHSCORES') or {}
  local due = math.min(tonumber(first[2] or math.huge), expires or math.huge)
  return due < math.huge and math.max(due - now, 0) or -1
end

local acked, requeued = 0, 0
if ARGV[5] ~= '' then
  acked, requeued = ack_items(held, holder.of(ARGV[5], consumer), 6)
end
local added = redis.call('ZADD', key.consumers, now + lease, consumer)
if size[held] > 0 then
  adopt()
end
if size[key.delayed] > 0 then
  promote_due()
end
if not paused then
  pop()
  pop_later()
end
waiting.save()
if #accepted > 0 then
  redis.call('HSET', key.meta, 'token', token)
end
local next_maintenance = tonumber(meta.next_maintenance or 0)
local elected = now >= next_maintenance or next_maintenance > now + MAINTENANCE_MS -- the clock was set back
if elected then
  redis.call('HSET', key.meta, 'next_maintenance', now + MAINTENANCE_MS)
end
local other, expires = first_to_expire(size[key.consumers] + added == 1)
return {
  #accepted > 0 and token or '', length + size[key.later], next_due(expires), paused and 1 or 0,
  expires and expires < now and other or '', elected and 1 or 0, accepted, attempts_of(accepted),
  {acked, requeued, #ARGV - 5 - acked},
}
