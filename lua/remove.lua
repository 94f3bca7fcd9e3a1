#!lua flags=allow-oom
-- remove: removes documents whose row is gone, guarded by their version.
--
-- KEYS   the documents' keys; then, in the same order, their tombstones pgusher:gone:{key}
-- ARGV   [1] how long a tombstone lives, ms; then per document its version, an integer below 2^53
-- Reply  per document an integer or an error: 2 removed, 3 was not there, 4 was not there and has no tombstone: if it
--        was there, it went by itself, when its date passed, 5 was not there, but lately somebody removed it, and may
--        have died before he told anyone, -1 stale (a newer version is there: nothing written), or the error that
--        stands in the way of this document only
-- Cost   O(fields) a document. Works above maxmemory, too: it makes room.
-- Never  removes a newer version, a hash without a number for a version (it is not ours), or a key that is no hash. The
--        tombstone keeps a late, older put from bringing the document back.

--@include parts/buried.lua
--@include parts/bury.lua

local ttl = tonumber(ARGV[1])

local function remove(key, gone, version)
  local stored = redis.pcall('HGET', key, '_v')
  if type(stored) == 'table' then
    return stored
  end
  local known, dead = tonumber(stored), buried(gone)
  if not known and redis.call('EXISTS', key) == 1 then
    return 3 -- a hash, but none of ours
  end
  local newest = known or dead
  if newest and newest > tonumber(version) then
    return not known and lately(gone, ttl) and 5 or -1
  end
  return bury(key, gone, version, ttl)
end

local replies = {}
local count = #KEYS / 2
for i = 1, count do
  local outcome = remove(KEYS[i], KEYS[count + i], ARGV[i + 1])
  if type(outcome) == 'table' and string.sub(outcome.err, 1, 9) ~= 'WRONGTYPE' then
    return outcome -- no fault of this document
  end
  replies[#replies + 1] = outcome
end
return replies
