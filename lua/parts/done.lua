-- done: items are acked; one that changed meanwhile goes round once more. Needs parts/held.lua and parts/waiting.lua.

local function forget_failures(places)
  for from = 1, #places, CHUNK do
    redis.call('HDEL', key.failures, unpack(items_at(places, from, from + CHUNK - 1)))
  end
end

local function queue_dirty(places)
  local changed = {}
  for _, place in ipairs(places) do
    if redis.call('SREM', key.dirty, ARGV[place]) == 1 then
      changed[#changed + 1] = ARGV[place]
    end
  end
  if #changed > 0 then
    waiting.push_new(changed)
    redis.call('HINCRBY', key.meta, 'requeued', #changed)
  end
  return #changed
end

-- The items stand in ARGV from `first` on. Returns how many were acked, and how many of these queued again.
local function ack_items(list, held_by, first)
  local places = places_held(held_by, first, 1)
  if #places == 0 then
    return 0, 0
  end
  let_go(list, places)
  if size[key.failures] > 0 then
    forget_failures(places)
  end
  redis.call('HINCRBY', key.meta, 'acked', #places)
  return #places, size[key.dirty] > 0 and queue_dirty(places) or 0
end
