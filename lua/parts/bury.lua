-- bury(key, gone, version, ttl): removes a document and notes this version in its tombstone; gives what lua/remove.lua replies.
-- lately(gone, ttl): whether somebody removed it not longer ago than half a tombstone's life. The tombstone of what was removed
-- lives for ttl, ms, that of what was not there half as long.

local function lately(gone, ttl)
  return redis.call('PTTL', gone) > ttl / 2
end

local function bury(key, gone, version, ttl)
  if redis.call('DEL', key) == 1 then
    redis.call('SET', gone, version, 'PX', ttl)
    return 2
  end
  if lately(gone, ttl) then
    redis.call('SET', gone, version, 'KEEPTTL')
    return 5
  end
  return redis.call('SET', gone, version, 'PX', math.ceil(ttl / 2), 'GET') and 3 or 4
end
