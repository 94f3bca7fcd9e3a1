-- waiting: whether an item waits, exactly; and putting it at either end of the list.
--
-- Places are numbered so that an item keeps its number while others come and go: the next one pushed at the back gets seq +
-- 1, the last that left had seq - LLEN(Q). An item's mark is the place of its newest copy, as six bytes, because each
-- waiting item has one. It waits if it stands there: so a mark that is out of date can at worst let an item be queued
-- twice, never be forgotten, whatever programs that know nothing of marks push and pop.
--
-- Since when things wait is kept for some places only: `clock` in Q:meta, "place:ms place:ms ...", a new one every second;
-- `clocked` is the last one's time.
--
-- Queues to which plain programs LPUSH ("coalesce": false) have no marks, and every push is one.

local stored = redis.call('HMGET', key.meta, 'seq', 'coalesce', 'clocked', 'token', 'paused', 'grace_until',
  'next_maintenance')
local meta = {
  clocked = stored[3], token = stored[4], paused = stored[5], grace_until = stored[6], next_maintenance = stored[7],
}
local seq = tonumber(stored[1] or 0) or
  error({err = 'ERR seq in ' .. key.meta .. ' is no number: another program wrote it; delete that field'})
local coalesce = stored[2] ~= '0'
local length = size[key.waiting]
local first_seq = seq
local waiting = {PLACE_OFFSET = 2 ^ 40, CLOCK_MS = 1000, CLOCK_BYTES = 2048}

-- `mark` is what Q:marks holds for the item, or false.
function waiting.by_mark(item, mark)
  local left = seq - length
  local place = mark and struct.unpack('>I6', mark) - waiting.PLACE_OFFSET
  return place and place > left and redis.call('LINDEX', key.waiting, left - place) == item
end

function waiting.has(item)
  return coalesce and waiting.by_mark(item, redis.call('HGET', key.marks, item))
end

local function mark_of(place)
  return struct.pack('>I6', place + waiting.PLACE_OFFSET)
end

-- The places that follow seq are theirs. One that stands there twice is marked by its newest copy.
local function set_marks(items)
  local marks = {}
  for i, item in ipairs(items) do
    marks[2 * i - 1], marks[2 * i] = item, mark_of(seq + i)
  end
  redis.call('HSET', key.marks, unpack(marks))
end

-- Each behind the one before. 1,000 at most.
function waiting.push_back(items)
  if #items == 0 then
    return
  end
  length = redis.call('LPUSH', key.waiting, unpack(items))
  if coalesce then
    set_marks(items)
  end
  seq = seq + #items
end

-- Those of them that do not wait; each stands here once. 1,000 at most.
function waiting.push_new(items)
  local marks = coalesce and #items > 0 and redis.call('HMGET', key.marks, unpack(items))
  local new = {}
  for i, item in ipairs(items) do
    if not marks or not waiting.by_mark(item, marks[i]) then
      new[#new + 1] = item
    end
  end
  waiting.push_back(new)
end

-- What a plain program pushed again may be elsewhere as well; a dead one starts anew.
function waiting.forget_other_places(items)
  if size[key.later] > 0 then
    size[key.later] = size[key.later] - redis.call('ZREM', key.later, unpack(items))
  end
  if size[key.delayed] > 0 then
    redis.call('ZREM', key.delayed, unpack(items))
  end
  if size[key.dead] == 0 then
    return
  end
  for _, item in ipairs(items) do
    if redis.call('ZREM', key.dead, item) == 1 then
      redis.call('HDEL', key.failures, item)
    end
  end
end

-- Where it is the next to leave. An item that waits stays where it is.
function waiting.push_front(item)
  if not waiting.has(item) then
    waiting.forget_other_places({item})
    if coalesce then
      redis.call('HSET', key.marks, item, mark_of(seq - length))
    end
    length = redis.call('RPUSH', key.waiting, item)
  end
end

-- What stood before the front has left. When there are many entries, the gaps between them may be an eighth of their
-- age, so that a backlog of days has no more than a hundred.
local function thin_clock(clock)
  local front = seq - length + 1
  local kept, last, many = {}, 0, #clock > waiting.CLOCK_BYTES
  for entry, place, ms in string.gmatch(clock, '((%-?%d+):(%d+))') do
    if tonumber(place) <= front then
      kept = {entry}
      last = ms
    elseif not many or (ms - last) * 8 >= now - ms then
      kept[#kept + 1] = entry
      last = ms
    end
  end
  return table.concat(kept, ' ')
end

-- The first of what was pushed by this call waits since now.
local function save_clock()
  local alone = length == seq - first_seq -- nothing else waits
  if not alone and now - (meta.clocked or 0) < waiting.CLOCK_MS then
    return
  end
  local clock = alone and '' or thin_clock(redis.call('HGET', key.meta, 'clock') or '')
  clock = clock .. (clock == '' and '' or ' ') .. string.format('%.0f:%.0f', first_seq + 1, now)
  redis.call('HSET', key.meta, 'clock', clock, 'clocked', now)
end

-- Call it once, after the last change. When nothing waits, all marks are of the past.
function waiting.save()
  if length == 0 and size[key.marks] > 0 then
    redis.call('UNLINK', key.marks)
  end
  if seq ~= first_seq then
    redis.call('HSET', key.meta, 'seq', seq)
    save_clock()
  end
end
