-- each_id: ARGV is per key of KEYS two words, a number n and n document keys. Calls fn(key, word, word, first, n) for each,
-- where the document keys stand in ARGV from `first` on. Gives the list of what it returns; an error that is no fault of
-- this key alone takes the place of the list.

local function each_id(fn)
  local replies = {}
  local at = 1
  for i = 1, #KEYS do
    local n = tonumber(ARGV[at + 2])
    local outcome = fn(KEYS[i], ARGV[at], ARGV[at + 1], at + 3, n)
    if type(outcome) == 'table' and outcome.err and string.sub(outcome.err, 1, 9) ~= 'WRONGTYPE' then
      return outcome
    end
    replies[#replies + 1] = outcome
    at = at + 3 + n
  end
  return replies
end
