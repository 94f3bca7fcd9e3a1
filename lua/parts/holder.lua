-- holder: who holds an item, as Q:inflight keeps it: the token, then the consumer, together above the 64 bytes up to which Redis
-- keeps a small hash as a list that it searches from one end (hash-max-listpack-value): that costs more than half of a
-- busy queue's time.

local holder = {FORMAT = '%s %48s'}

function holder.of(its_token, owner)
  return string.format(holder.FORMAT, its_token, owner)
end

-- Token and consumer of what Q:inflight says; nil when nobody holds the item.
function holder.read(text)
  return string.match(text or '', '^(%d+) +(.*)$')
end

function holder.consumer(text)
  local _, owner = holder.read(text)
  return owner
end
