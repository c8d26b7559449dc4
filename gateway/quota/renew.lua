-- Extend the lease of an open hold that has not lapsed. KEYS: the record of the ask, then the base of each scope.
local record = redis.call('GET', KEYS[1])
if not record or string.sub(record, -8) == ':settled' then return 0 end
local member = string.match(record, '^%d+:(.+)$')
redis.call('PEXPIRE', KEYS[1], RECORD_MS)
for i = 2, #KEYS do
  redis.call('ZADD', KEYS[i] .. ':h', 'XX', now + LEASE, member)
  redis.call('PEXPIRE', KEYS[i] .. ':h', ZSET_MS)
end
return 1
