-- Give a scope that has none the counters of the ledger. KEYS: the base of the scope.
-- ARGV: the day the ledger was asked for, tokens of the day, tokens and cost of the month.
-- Answers 1 where the scope has counters now, 0 where the day has turned since and the ledger must be asked again.
local scopes = open_all(1)
local s = scopes[1]
if s.seeded then return answer(scopes, 1) end
if s.day ~= tonumber(ARGV[1]) then return answer(scopes, 0) end
s.day_tokens, s.month_tokens, s.month_cost = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
s.changed = true
redis.call('HSET', s.base, 'seeded', now)
return answer(scopes, 1)
