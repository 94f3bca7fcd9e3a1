#!lua flags=allow-oom
-- sweep: finds marks whose items wait no longer (plain consumers take items without dropping marks) and removes them.
--
-- KEYS   the ten of the queue (parts/keys.lua)
-- ARGV   [1] cursor, '0' to begin with  [2] '1' to remove them, '0' to count only
-- Reply  [1] cursor for the next call, '0' at the end  [2] how many were found
-- Cost   O(1) a call, some 500 marks. Works above maxmemory.

--@include parts/keys.lua

local COUNT = 500

local failed = check_call('sweep', {}, 3)
if failed then
  return redis.error_reply(failed)
end

--@include parts/time.lua
--@include parts/waiting.lua

local scanned = redis.call('HSCAN', key.marks, ARGV[1], 'COUNT', COUNT)
local found = 0
for i = 1, #scanned[2], 2 do
  if not waiting.by_mark(scanned[2][i], scanned[2][i + 1]) then
    found = found + 1
    if ARGV[2] == '1' then
      redis.call('HDEL', key.marks, scanned[2][i])
    end
  end
end
return {scanned[1], found}
