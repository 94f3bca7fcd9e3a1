#!lua flags=allow-oom
-- rows_forget: takes document keys that were removed out of the index of their id (see rows.lua).
--
-- KEYS   per document key the index of its id
-- ARGV   per document key two: the key, and the version of its removal
-- Reply  per document key 1: forgotten; 0: it is not known, or a newer version yielded it; or the error that stands in
--        the way of this one only
-- Cost   O(1) a key. Works above maxmemory.
-- Never  forgets a key that is newer than its removal.

local function forget(index, key, version)
  local stored = redis.pcall('HGET', index, key)
  if type(stored) == 'table' then
    return stored
  end
  if not stored or (tonumber(stored) or 0) > tonumber(version) then
    return 0
  end
  return redis.call('HDEL', index, key)
end

local replies = {}
for i = 1, #KEYS do
  local outcome = forget(KEYS[i], ARGV[2 * i - 1], ARGV[2 * i])
  if type(outcome) == 'table' and string.sub(outcome.err, 1, 9) ~= 'WRONGTYPE' then
    return outcome -- no fault of this key
  end
  replies[#replies + 1] = outcome
end
return replies
