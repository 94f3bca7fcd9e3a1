#!lua
-- put: writes documents into hashes, guarded by their version.
--
-- KEYS   the documents' keys, 1,000 at most; then, in the same order, their tombstones pgusher:gone:{key}
-- ARGV   [1] how long a tombstone lives, ms
--        then per document:
--          expire_at   ms since 1970, or '0' for never; at or before the server's clock means remove
--          packed      its fields with _v (version: snapshot ordinal under its epoch, an integer below 2^53) and _d
--                      (digest of all else and of expire_at), as cdc/packed.h has it: what RESTORE takes
-- Reply  per document an integer or an error:
--          1 put, 0 unchanged (only its version moved on), 2 removed, 3, 4 and 5 to be removed but was not there, as
--          lua/remove.lua tells them, -1 stale (a newer version is there: nothing written), or the error that stands
--          in the way of this document only
-- Cost   O(bytes) a document; one command for each that is new, two for others. Refused as a whole (OOM) while Redis is
--        above maxmemory.
-- Never  lets an older version replace a newer one or its tombstone; never touches a key that is not a hash;
--        never fails one document because of another.

local tombstone_ttl = tonumber(ARGV[1])
--@include parts/time.lua
--@include parts/buried.lua
--@include parts/bury.lua

local DIGEST_FIRST, DIGEST_LAST, VERSION_HEAD = 18, 33, 39 -- in `packed`, from 1; the head is 128 + digits

local call, pcall, tonumber = redis.call, redis.pcall, tonumber
local count = #KEYS / 2
local any_gone = call('EXISTS', unpack(KEYS, count + 1)) > 0 -- or may be, since a document was removed
-- Where the first document is new, the others are likely to be. It is tried, and is no more than a guess.
local all_new = call('EXISTS', KEYS[1]) == 0

local function version_of(packed)
  return string.sub(packed, VERSION_HEAD + 1, VERSION_HEAD + string.byte(packed, VERSION_HEAD) - 128)
end

local function remove(i, packed)
  any_gone = true
  buried(KEYS[count + i])
  return bury(KEYS[i], KEYS[count + i], version_of(packed), tombstone_ttl)
end

-- The tombstone goes last: it guards the key until there is a version.
local function replace(i, expire_at, packed)
  local written = pcall('RESTORE', KEYS[i], expire_at, packed, 'ABSTTL', 'REPLACE')
  if written.err then
    return written
  end
  if any_gone then
    call('DEL', KEYS[count + i])
  end
  return 1
end

local function put(i, expire_at, packed, is_past)
  local stored = pcall('HMGET', KEYS[i], '_v', '_d')
  if stored.err then
    return stored
  end
  local newest = tonumber(stored[1]) or any_gone and buried(KEYS[count + i])
  if newest and newest > tonumber(version_of(packed)) then
    return -1
  end
  if is_past then
    return remove(i, packed)
  end
  if stored[2] == string.sub(packed, DIGEST_FIRST, DIGEST_LAST) then
    call('HSET', KEYS[i], '_v', version_of(packed))
    return 0
  end
  return replace(i, expire_at, packed)
end

-- Where it is all that there is to do; nil when something is there already.
local function put_new(i, expire_at, packed)
  local written = pcall('RESTORE', KEYS[i], expire_at, packed, 'ABSTTL')
  if not written.err then
    return 1
  end
  if string.sub(written.err, 1, 7) ~= 'BUSYKEY' then
    return written
  end
  all_new = false
end

local replies = {}
for i = 1, count do
  local expire_at, packed = ARGV[2 * i], ARGV[2 * i + 1]
  local is_past = expire_at ~= '0' and tonumber(expire_at) <= now
  local outcome = all_new and not any_gone and not is_past and put_new(i, expire_at, packed) or
    put(i, expire_at, packed, is_past)
  if outcome ~= 1 and type(outcome) == 'table' and string.sub(outcome.err, 1, 9) ~= 'WRONGTYPE' then
    return outcome -- no fault of this document
  end
  replies[i] = outcome
end
return replies
