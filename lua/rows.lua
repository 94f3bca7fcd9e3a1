#!lua flags=allow-oom
-- rows: notes which documents an id yields, where one id has several, and tells which others are known.
--
-- KEYS   per id its index pgusher:rows:<key of its documents with * for the other columns>, a hash: document key to
--        the version at which the id yielded it
-- ARGV   per id:
--          version     snapshot ordinal under its epoch, an integer below 2^53
--          expire_at   ms since 1970 of the last of its documents, with a margin, or '' for never
--          n           number of document keys, followed by these
-- Reply  per id a list of the keys that it does not yield and that no newer version yielded, or the error that stands
--        in the way of this id only
-- Cost   O(keys known and yielded) an id. Works above maxmemory, too: removals wait for it.
-- Never  lowers a version, forgets a key, or lets the index end earlier than it was to; never touches a key that is
--        not a hash.

--@include parts/time.lua
--@include parts/each_id.lua

local CHUNK = 1000 -- keys and versions per HSET; unpack fails above 7,999

-- Leaves in `yielded` the keys that the index must learn; returns those that are left over.
local function compare(known, version, yielded)
  local left = {}
  for i = 1, #known, 2 do
    local ahead = (tonumber(known[i + 1]) or 0) - tonumber(version)
    if not yielded[known[i]] and ahead <= 0 then
      left[#left + 1] = known[i]
    elseif ahead >= 0 then
      yielded[known[i]] = nil
    end
  end
  return left
end

local function note(index, version, yielded)
  local words = {}
  for key in pairs(yielded) do
    words[#words + 1] = key
    words[#words + 1] = version
  end
  for from = 1, #words, CHUNK do
    redis.call('HSET', index, unpack(words, from, math.min(from + CHUNK - 1, #words)))
  end
end

local function keep_until(index, expire_at, is_new)
  if expire_at == '' then
    redis.call('PERSIST', index)
    return
  end
  local left = redis.call('PTTL', index)
  if is_new or left >= 0 and now + left < tonumber(expire_at) then
    redis.call('PEXPIREAT', index, expire_at)
  end
end

local function settle(index, version, expire_at, first, n)
  local known = redis.pcall('HGETALL', index)
  if known.err then
    return known
  end
  local yielded = {}
  for i = first, first + n - 1 do
    yielded[ARGV[i]] = true
  end
  local left = compare(known, version, yielded)
  if n > 0 then
    note(index, version, yielded)
    keep_until(index, expire_at, #known == 0)
  end
  return left
end

return each_id(settle)
