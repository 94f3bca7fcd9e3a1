#!lua flags=allow-oom
-- rows_suspect: puts document keys that were found in Redis into the index of their id (see rows.lua), so that they are
-- known when it is told what the id yields, and tells whether it must be asked.
--
-- KEYS   per id its index
-- ARGV   per id:
--          keep        for how long an index that was not there is kept, ms
--          since       a version
--          n           number of document keys, followed by these
-- Reply  per id 1: one of these keys was not yielded at or after `since`; 0: all were; or the error that stands in the
--        way of this id only
-- Cost   O(n) an id. Works above maxmemory.
-- Never  changes what is known of a key.

--@include parts/each_id.lua

local function suspect(index, keep, since, first, n)
  local is_new = redis.call('EXISTS', index) == 0
  local unsure = 0
  for i = first, first + n - 1 do
    local version = redis.pcall('HGET', index, ARGV[i])
    if type(version) == 'table' then
      return version
    end
    if not version then
      redis.call('HSET', index, ARGV[i], 0)
    end
    if (tonumber(version or 0) or 0) < tonumber(since) then
      unsure = 1
    end
  end
  if is_new then
    redis.call('PEXPIRE', index, keep)
  end
  return unsure
end

return each_id(suspect)
