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
local FIRST_ITEM = 3
local QUEUED, COALESCED, MARKED_DIRTY, JOINED, REVIVED, ABSENT = 0, 1, 2, 3, 4, 5

local failed = check_call('enqueue', {}, FIRST_ITEM)
if not failed and ARGV[1] ~= '0' and ARGV[1] ~= '1' and ARGV[1] ~= '' then
  failed = 'ERR enqueue needs 1, 0 or nothing as its first argument'
end
local lane = ARGV[2]
if not failed and lane ~= '' and lane ~= 'later' and lane ~= 'sooner' then
  failed = 'ERR enqueue needs "later", "sooner" or nothing as its second argument'
end
for i = FIRST_ITEM, #ARGV do
  if ARGV[i] == '' then
    failed = failed or 'ERR item ' .. (i - FIRST_ITEM + 1) .. ' is empty'
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
if #ARGV < FIRST_ITEM then
  return {}
end

if length == 0 and size[key.marks] > 0 then
  redis.call('UNLINK', key.marks) -- plain consumers, who drop none, have taken everything
  size[key.marks] = 0
end

-- What a hash says of the items, by their names. One that holds fewer is read as a whole: Redis may keep it as a list,
-- in which it searches.
local function ask_hash(name)
  local found = {}
  if size[name] > 0 and size[name] < #ARGV then
    local all = redis.call('HGETALL', name)
    for i = 1, #all, 2 do
      found[all[i]] = all[i + 1]
    end
  elseif size[name] > 0 then
    for i, value in ipairs(redis.call('HMGET', name, unpack(ARGV, FIRST_ITEM))) do
      found[ARGV[FIRST_ITEM + i - 1]] = value
    end
  end
  return found
end

-- The scores that a sorted set has for them, by their places.
local function ask_set(name)
  return size[name] > 0 and redis.call('ZMSCORE', name, unpack(ARGV, FIRST_ITEM)) or {}
end

local holders, marks, delays = {}, {}, {}
if coalesce then
  holders, marks, delays = ask_hash(key.inflight), ask_hash(key.marks), ask_set(key.delayed)
end
local lane_scores = ask_set(key.later)

-- What is done about them, at the end; and of an item that stands here twice, whether it is in the lane by now.
local dirty, leaving, chosen, in_lane = {}, {}, {}, {}

local function revive(item)
  local revived = size[key.dead] > 0 and redis.call('ZREM', key.dead, item) == 1
  if revived then
    redis.call('HDEL', key.failures, item)
  end
  return revived
end

-- Takes it out of the lane, if it is there. Returns whether it was.
local function leave(place, item)
  local was_there = in_lane[item] == nil and lane_scores[place] or in_lane[item]
  if was_there then
    leaving[#leaving + 1] = item
  end
  in_lane[item] = false
  return was_there
end

-- Returns whether it did not wait already.
local function put(place, item)
  if lane == 'later' then
    local is_there = in_lane[item] or lane_scores[place]
    in_lane[item] = true
    chosen[#chosen + 1] = not is_there and item or nil
    return not is_there
  end
  chosen[#chosen + 1] = item
  return not leave(place, item)
end

local function enqueue(place, item)
  if not coalesce then
    return put(place, item) and QUEUED or COALESCED
  end
  if holders[item] then
    dirty[#dirty + 1] = item
    return MARKED_DIRTY
  end
  if in_lane[item] ~= nil or waiting.by_mark(item, marks[item]) then
    return COALESCED
  end
  if delays[place] then
    return JOINED
  end
  local revived = revive(item)
  local fresh = put(place, item)
  return revived and REVIVED or fresh and QUEUED or COALESCED
end

local function hurry(place, item)
  if not leave(place, item) then
    return ABSENT
  end
  chosen[#chosen + 1] = item
  return COALESCED
end

local handle = lane == 'sooner' and hurry or enqueue
local replies, queued = {}, 0
for place = 1, #ARGV - FIRST_ITEM + 1 do
  local outcome = handle(place, ARGV[FIRST_ITEM + place - 1])
  replies[place] = outcome
  queued = queued + ((outcome == QUEUED or outcome == REVIVED) and 1 or 0)
end
if #dirty > 0 then
  redis.call('SADD', key.dirty, unpack(dirty))
end
later.remove(leaving)
if lane == 'later' then
  later.add(chosen)
else
  waiting.push_back(chosen)
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
