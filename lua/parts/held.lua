-- held: what a consumer holds under one token, and letting go of it.

local CHUNK = 500 -- items in one command: unpack fails above 7,999 values

-- Of ARGV from `first` in steps of `step`: the places of the items that `held_by` (holder.of) holds, each once.
local function places_held(held_by, first, step)
  local places, seen = {}, {}
  for from = first, #ARGV, CHUNK * step do
    local items = {}
    for at = from, math.min(from + (CHUNK - 1) * step, #ARGV), step do
      items[#items + 1] = ARGV[at]
    end
    for i, found in ipairs(redis.call('HMGET', key.inflight, unpack(items))) do
      if found == held_by and not seen[items[i]] then
        seen[items[i]] = true
        places[#places + 1] = from + (i - 1) * step
      end
    end
  end
  return places
end

local function items_at(places, from, to)
  local items = {}
  for i = from, math.min(to, #places) do
    items[#items + 1] = ARGV[places[i]]
  end
  return items
end

-- LREM finds an item soonest that was reserved before the others.
local function let_go(list, places)
  local all = size[list] == #places
  if all then
    redis.call('DEL', list)
  end
  size[list] = size[list] - #places
  size[key.inflight] = size[key.inflight] - #places
  for from = 1, #places, CHUNK do
    local items = items_at(places, from, from + CHUNK - 1)
    redis.call('HDEL', key.inflight, unpack(items))
    for _, item in ipairs(all and {} or items) do
      redis.call('LREM', list, 1, item)
    end
  end
end
