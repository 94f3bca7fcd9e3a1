-- buried(gone): the version that a tombstone holds; nil without one. Anything else that has its name is thrown away.

local function buried(gone)
  local found = redis.pcall('GET', gone)
  if type(found) == 'table' and string.sub(found.err, 1, 9) ~= 'WRONGTYPE' then
    redis.call('GET', gone) -- forbidden: fails as a whole
  end
  local version = tonumber(found)
  if found and not version then
    redis.call('DEL', gone)
  end
  return version
end
