#!lua flags=allow-oom
-- fleet: how far a fleet's changes are applied, kept beside the data they were applied to.
--
-- KEYS   [1] pgusher:fleet:<name>, a hash: dataset, epoch, ordinal, p0, p1 … (a cursor for each partition)
--        [2] the same with :alive behind it: which database the workers follow that were here within the last seconds
-- ARGV   [1] dataset: the name of the contents that the caller takes this Redis to hold
--        [2] epoch of the caller's versions
--        [3] the highest snapshot ordinal that the caller has put into a version
--        [4] the caller's database
--        then names and values of the cursors that moved, or of notes about backfills; none: only look
-- Reply  1 done; 0 not this dataset: flushed or replaced since; -1 a higher epoch is here: the caller follows a former
--        primary of PostgreSQL. Nothing is written in the last two cases.
-- Cost   O(what is written). Works above maxmemory, too.
-- Never  moves a cursor over data that this Redis has lost.

local ALIVE_MS = 5000
local stored = redis.call('HMGET', KEYS[1], 'dataset', 'epoch', 'ordinal')

if stored[1] ~= ARGV[1] then
  return 0
end
if tonumber(stored[2]) > tonumber(ARGV[2]) then
  return -1
end
if tonumber(stored[3]) < tonumber(ARGV[3]) then
  redis.call('HSET', KEYS[1], 'ordinal', ARGV[3])
end
if #ARGV > 4 then
  redis.call('HSET', KEYS[1], unpack(ARGV, 5))
end
redis.call('SET', KEYS[2], ARGV[4], 'PX', ALIVE_MS)
return 1
