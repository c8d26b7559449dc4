-- Give a scope that has none the counters of the ledger. KEYS: the base of the scope.
-- ARGV: the day the ledger was asked for, tokens of the day, tokens and cost of the month, cost of the day and of the
-- week; or "forget", to have none.
-- Answers 1 where the scope has counters now, 0 where the day has turned since and the ledger must be asked again.
local scopes = open_all(1)
local s = scopes[1]
if ARGV[1] == 'forget' then
  s.seeded, s.changed = false, true
elseif s.day ~= tonumber(ARGV[1]) then
  return answer(scopes, 0)
elseif not s.seeded then
  s.day_tokens, s.month_tokens, s.month_cost = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
  s.day_cost, s.week_cost = tonumber(ARGV[5]), tonumber(ARGV[6])
  s.seeded, s.changed = now, true
end
return answer(scopes, 1)
