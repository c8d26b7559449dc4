-- One scope as its owner sees it. KEYS: the base of the scope.
-- Answers {2, day} where it has no counters yet, else {1, now, calls, settled and held tokens of the minute, when the
-- oldest call leaves the window, open calls, then spent and held: tokens of day and month, cost of month, day and week}.
local scopes = open_all(1)
local s = scopes[1]
if not s.seeded then return answer(scopes, { 2, day_of(now) }) end
local leaves = s.calls > 0 and s.oldest + WINDOW or now
return answer(scopes, {
  1, now, s.calls, s.minute - s.minute_held, s.minute_held, leaves, s.open,
  s.day_tokens, s.held_day, s.month_tokens, s.held_month, s.month_cost, s.held_cost,
  s.day_cost, s.held_day_cost, s.week_cost, s.held_week_cost,
})
