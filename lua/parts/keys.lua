-- keys: the keys of a queue, in the order in which every script of the queue gets them.
--
-- KEYS   [1] Q, the waiting list          [2] Q:marks      [3] Q:inflight
--        [4] Q:dirty       [5] Q:meta     [6] Q:delayed    [7] Q:dead
--        [8] Q:failures    [9] Q:consumers  [10] Q:later   and those the script names itself

local key = {
  waiting = KEYS[1], marks = KEYS[2], inflight = KEYS[3], dirty = KEYS[4], meta = KEYS[5],
  delayed = KEYS[6], dead = KEYS[7], failures = KEYS[8], consumers = KEYS[9], later = KEYS[10],
}
local MEASURE = {'LLEN', 'HLEN', 'HLEN', 'SCARD', 'HLEN', 'ZCARD', 'ZCARD', 'HLEN', 'ZCARD', 'ZCARD'}
local MAX_ITEMS = 1000 -- in one call
local size = {} -- of each key, by its name, when the script began

local function check_arguments(name, more, first_item, words_per_item)
  if #KEYS < #MEASURE + #more then
    return 'ERR ' .. name .. ' needs ' .. (#MEASURE + #more) .. ' keys'
  end
  if #ARGV < first_item - 1 or #ARGV >= first_item + MAX_ITEMS * (words_per_item or 1) then
    return 'ERR ' .. name .. ' needs ' .. (first_item - 1) .. ' arguments, then at most ' .. MAX_ITEMS .. ' items'
  end
end

-- Redis does not roll a script back: whatever can fail is looked at before the first write. `more` are the commands
-- that measure the keys after the common ones (LLEN when there are further ones), and fail on one of another type;
-- first_item is the place of the items in ARGV. Most of the time nothing is dirty, delayed, dead, failed or in
-- the lane for later, which one command tells.
local function check_call(name, more, first_item, words_per_item)
  local failed = check_arguments(name, more, first_item, words_per_item)
  if failed then
    return failed
  end
  if redis.call('EXISTS', key.dirty, key.delayed, key.dead, key.failures, key.later) == 0 then
    size[key.dirty], size[key.delayed], size[key.dead] = 0, 0, 0
    size[key.failures], size[key.later] = 0, 0
  end
  for i, name_of_key in ipairs(KEYS) do
    local measured = size[name_of_key] or redis.pcall(MEASURE[i] or more[i - #MEASURE] or 'LLEN', name_of_key)
    if type(measured) == 'table' then
      return 'WRONGTYPE ' .. name_of_key .. ' is a ' .. redis.call('TYPE', name_of_key).ok ..
        ': another program uses a name of this queue'
    end
    size[name_of_key] = measured
  end
end
