#!lua flags=allow-oom,no-writes
-- may_call: which commands the user of this connection may not call, by the server's access list. Calls none of them.
--
-- KEYS   none: those in ARGV are only looked at by the access list
-- ARGV   commands with their arguments, the words of each with NUL between them
-- Reply  the places in ARGV, from 1, of those that are refused, or that the server does not know
-- Cost   O(commands). Works above maxmemory.

local refused = {}
for place, command in ipairs(ARGV) do
  local words = {}
  for word in (command .. '\0'):gmatch('(%Z*)%z') do
    words[#words + 1] = word
  end
  local known, allowed = pcall(redis.acl_check_cmd, unpack(words))
  if not known or not allowed then
    refused[#refused + 1] = place
  end
end
return refused
