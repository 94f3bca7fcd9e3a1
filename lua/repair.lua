#!lua flags=allow-oom
-- repair: makes a key that differs from its row ready for being written again by put or remove.
--
-- KEYS   [1] its key, [2] its tombstone pgusher:gone:{key}
-- ARGV   [1] the version of now: a greater one is none that a worker wrote; [2] '1' when there is a row, '0' when there
--        is none
-- Reply  1 something was changed, 0 nothing
-- Cost   O(fields)
-- Never  takes a valid version away: what is written next is still guarded by it. Never touches what is no hash when
--        there is no row: it is none of ours.

--@include parts/buried.lua

local now = tonumber(ARGV[1])
local has_row = ARGV[2] == '1'

local function is_valid(version)
  local number = tonumber(version)
  return number and number <= now
end

local gone = buried(KEYS[2])
if gone and not is_valid(gone) then
  redis.call('DEL', KEYS[2])
end

local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' then
  return has_row and redis.call('DEL', KEYS[1]) or 0
end
if is_valid(redis.call('HGET', KEYS[1], '_v')) then
  return redis.call('HDEL', KEYS[1], '_d')
end
if has_row then
  return redis.call('HDEL', KEYS[1], '_v', '_d')
end
return redis.call('DEL', KEYS[1])
