-- later: the lane of items that wait until nothing else does, a backfill's. Needs parts/time.lua, parts/waiting.lua and
-- parts/later_limits.lua.
--
-- Q:later holds them, each with the ms since when, the oldest first; what stands there waits nowhere else. Native
-- consumers are given them when the list is empty. Plain ones, and blocking moves, know the list only: so it is
-- kept from running empty while there are any. What is pushed meanwhile stands behind no more than that.

local later = {}

-- Those that are there already stay where they are. 1,000 at most.
function later.add(items)
  local words, score = {}, string.format('%.0f', now) -- Redis makes a text of a number each time, slowly
  for i, item in ipairs(items) do
    words[2 * i - 1], words[2 * i] = score, item
  end
  if #items > 0 then
    size[key.later] = size[key.later] + redis.call('ZADD', key.later, 'NX', unpack(words))
  end
end

function later.remove(items)
  if #items > 0 then
    size[key.later] = size[key.later] - redis.call('ZREM', key.later, unpack(items))
  end
end

function later.take(count)
  local found, items = redis.call('ZPOPMIN', key.later, count), {}
  for i = 1, #found, 2 do
    items[#items + 1] = found[i]
  end
  size[key.later] = size[key.later] - #items
  return items
end

-- How many should wait in the list: native consumers that live take more by themselves, and need only be woken.
function later.list_length()
  local newest = size[key.consumers] > 0 and redis.call('ZREVRANGE', key.consumers, 0, 0, 'WITHSCORES') or {}
  return newest[2] and tonumber(newest[2]) >= now and LATER_FEW or LATER_MANY
end

-- Moves on as many as the list is short of. Returns how many.
function later.move_on()
  if size[key.later] == 0 or length >= LATER_MANY then
    return 0
  end
  local items = later.take(math.max(later.list_length() - length, 0))
  waiting.push_new(items)
  return #items
end
