-- time: now, in ms since 1970, as the model says. Redis that is no cluster lets a script read a key that it was not given.

local now = tonumber(redis.call('GET', 'test:now'))
