-- failures: how often an item failed (its handler said no) and crashed (its owner died holding it), as one text in
-- Q:failures: "failures crashes when reason".

local failures = {MAX_REASON = 512, DEFAULT_LIMITS = {max_failures = 8, max_crashes = 3}}

function failures.read(item)
  local record = redis.call('HGET', key.failures, item)
  local refusals, crashes = string.match(record or '', '^(%d+) (%d+) ')
  return tonumber(refusals or 0), tonumber(crashes or 0)
end

function failures.write(item, refusals, crashes, reason)
  redis.call('HSET', key.failures, item,
    string.format('%d %d %.0f ', refusals, crashes, now) .. string.sub(reason, 1, failures.MAX_REASON))
end

function failures.limit(name)
  return tonumber(redis.call('HGET', key.meta, name) or failures.DEFAULT_LIMITS[name])
end
