#!lua
-- put: writes documents into hashes, guarded by their version.
--
-- KEYS   per document two: its key, and its tombstone pgusher:gone:{key}
-- ARGV   [1] how long a tombstone lives, ms
--        then per document:
--          version     snapshot ordinal under its epoch, an integer below 2^53
--          expire_at   ms since 1970, or '' for never; at or before the server's clock means remove
--          digest      of all that follows and of expire_at
--          n           number of fields, followed by n times name, value
-- Reply  per document an integer or an error:
--          1 put, 0 unchanged (only its version moved on), 2 removed, 3 to be removed but was not there, 4 the same
--          without a tombstone: if it was there, it went by itself, when its date passed,
--          -1 stale (a newer version is there: nothing written), or the error that stands in the way of this
--          document only
-- Cost   O(fields) a document. Refused as a whole (OOM) while Redis is above maxmemory.
-- Never  lets an older version replace a newer one or its tombstone; never touches a key that is not a hash;
--        never fails one document because of another.

local tombstone_ttl = ARGV[1]
--@include parts/time.lua

local CHUNK = 3000 -- field and value words per HSET; unpack fails above 7,999

local function write(key, gone, version, expire_at, digest, first, n)
  redis.call('DEL', key, gone)
  redis.call('HSET', key, '_v', version, '_d', digest)
  local last = first + 2 * n - 1
  for from = first, last, CHUNK do
    redis.call('HSET', key, unpack(ARGV, from, math.min(from + CHUNK - 1, last)))
  end
  if expire_at ~= '' then
    redis.call('PEXPIREAT', key, expire_at)
  end
  return 1
end

local function remove(key, gone, version)
  local existed = redis.call('DEL', key)
  local told = redis.call('SET', gone, version, 'PX', tombstone_ttl, 'GET')
  return existed == 1 and 2 or told and 3 or 4
end

local function put(key, gone, version, expire_at, digest, first, n)
  local stored = redis.pcall('HMGET', key, '_v', '_d')
  if stored.err then
    return stored
  end
  local newest = stored[1] or redis.call('GET', gone)
  if newest and tonumber(newest) > tonumber(version) then
    return -1
  end
  if expire_at ~= '' and tonumber(expire_at) <= now then
    return remove(key, gone, version)
  end
  if stored[2] == digest then
    redis.call('HSET', key, '_v', version)
    return 0
  end
  return write(key, gone, version, expire_at, digest, first, n)
end

local replies = {}
local at = 2
for i = 1, #KEYS, 2 do
  local n = tonumber(ARGV[at + 3])
  local outcome = put(KEYS[i], KEYS[i + 1], ARGV[at], ARGV[at + 1], ARGV[at + 2], at + 4, n)
  if type(outcome) == 'table' and string.sub(outcome.err, 1, 9) ~= 'WRONGTYPE' then
    return outcome -- no fault of this document
  end
  replies[#replies + 1] = outcome
  at = at + 4 + 2 * n
end
return replies
