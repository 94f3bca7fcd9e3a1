#!lua flags=no-writes
-- inspect: one document as it stands, all of the same moment.
--
-- KEYS   [1] its key, [2] its tombstone pgusher:gone:{key}
-- ARGV   none
-- Reply  1 the server's clock, ms since 1970
--        2 the type of the key, 'none' when there is none
--        3 when it expires, ms since 1970; -1 never
--        4 what the tombstone holds, '' when there is none
--        5 of a hash: name, value, name, value …
-- Cost   O(fields)
-- Never  writes.

local time = redis.call('TIME')
local kind = redis.call('TYPE', KEYS[1]).ok
local buried = redis.call('TYPE', KEYS[2]).ok == 'string' and redis.call('GET', KEYS[2]) or ''
return {
  time[1] * 1000 + math.floor(time[2] / 1000),
  kind,
  redis.call('PEXPIRETIME', KEYS[1]),
  buried,
  kind == 'hash' and redis.call('HGETALL', KEYS[1]) or {},
}
