-- Check and reserve, in all scopes or none. KEYS: the record of the ask, then the base of each scope.
-- ARGV: "id tokens least cost mode", then for each scope "rpm,tpm,day,month,concurrent,budget" (empty: unlimited), and
-- ",weekly,daily" where there are such budgets.
-- Mode "adopt" is for what is admitted already: it is held, whatever the limits say.
-- Answers {1, reserved, limit and rest of requests, limit and rest of tokens} (the tightest scope; -1: unlimited),
-- {0, scope, limit, µs to wait or -1 for the calendar's turn, now} or {2, day, scopes without counters...}.
local id, tokens, least, cost, mode = string.match(ARGV[1], '^(%S+) (%d+) (%d+) (%d+) (%a+)$')
tokens, least, cost = tonumber(tokens), tonumber(least), tonumber(cost)

local function limits_of(text)
  local rpm, tpm, day, month, concurrent, budget, seldom =
    string.match(text, '^(%d*),(%d*),(%d*),(%d*),(%d*),(%d*)(.*)$')
  local l = {
    rpm = tonumber(rpm), tpm = tonumber(tpm), daily_tokens = tonumber(day), monthly_tokens = tonumber(month),
    concurrent = tonumber(concurrent), monthly_budget_micros = tonumber(budget), seldom = seldom ~= '',
  }
  if l.seldom then
    local weekly, daily = string.match(seldom, '^,(%d*),(%d*)$')
    l.weekly_budget_micros, l.daily_budget_micros = tonumber(weekly), tonumber(daily)
  end
  return l
end

-- When the call at `rank` (0 is the oldest) leaves the window.
local function leaves(s, rank)
  local entry = redis.call('ZRANGE', s.window, rank, rank, 'WITHSCORES')
  return entry[2] and entry[2] + WINDOW - now or WINDOW
end

-- When `missing` tokens will have left the window; looks at the 100 oldest calls, so that a refusal stays cheap.
local function frees(s, missing)
  local oldest = redis.call('ZRANGE', s.window, 0, 99, 'WITHSCORES')
  for i = 1, #oldest, 2 do
    missing = missing - string.match(oldest[i], '^%a(%d+)')
    if missing <= 0 or i == 199 then return oldest[i + 1] + WINDOW - now end
  end
  return WINDOW
end

-- The most tokens, at most `want`, that `left` has room for; nil where even the least does not fit.
local function fit(want, left)
  if want <= left then return want end
  if least <= left then return left end
  return nil
end

-- What `want` tokens cost, in proportion: output is never cheaper than input, so fewer tokens never cost more.
local function share_of(want)
  return tokens > 0 and math.ceil(cost * want / tokens) or cost
end

local function fit_budget(want, left)
  if share_of(want) <= left then return want end
  local room = tokens > 0 and cost > 0 and math.floor(left * tokens / cost) or -1
  return room >= least and math.min(room, want) or nil
end

-- How many tokens `s` admits of `want`, or nil, the limit in the way and the wait. The longest-lasting limit first:
-- who has no quota left this month is not told to come back in a minute.
local function admits(s, l, want)
  local budget, month, day, minute = l.monthly_budget_micros, l.monthly_tokens, l.daily_tokens, l.tpm
  want = budget and fit_budget(want, budget - s.month_cost - s.held_cost) or not budget and want or nil
  if not want then return nil, 'monthly_budget_micros', -1 end
  want = fit(want, month and month - s.month_tokens - s.held_month or want)
  if not want then return nil, 'monthly_tokens', -1 end
  if l.seldom then
    local weekly, daily = l.weekly_budget_micros, l.daily_budget_micros
    want = weekly and fit_budget(want, weekly - s.week_cost - s.held_week_cost) or not weekly and want or nil
    if not want then return nil, 'weekly_budget_micros', -1 end
    want = daily and fit_budget(want, daily - s.day_cost - s.held_day_cost) or not daily and want or nil
    if not want then return nil, 'daily_budget_micros', -1 end
  end
  want = fit(want, day and day - s.day_tokens - s.held_day or want)
  if not want then return nil, 'daily_tokens', -1 end
  if l.concurrent and s.open >= l.concurrent then return nil, 'concurrent', 1000000 end
  if l.rpm and s.calls >= l.rpm then return nil, 'rpm', leaves(s, s.calls - l.rpm) end
  want = fit(want, minute and minute - s.minute or want)
  if not want then return nil, 'tpm', frees(s, least + s.minute - minute) end
  return want
end

local function hold(s, reserved, share, member)
  enter(s, now, 'r', reserved, id)
  redis.call('ZADD', s.holds, now + LEASE, member)
  if s.open == 0 then redis.call('PEXPIRE', s.holds, ZSET_MS) end
  s.open, s.lapses = s.open + 1, math.min(s.lapses, now + LEASE)
  s.held_day, s.held_month, s.held_cost = s.held_day + reserved, s.held_month + reserved, s.held_cost + share
  s.held_day_cost, s.held_week_cost = s.held_day_cost + share, s.held_week_cost + share
end

local function granted(scopes, limits, reserved)
  local requests, rest, minute, room = -1, -1, -1, -1
  for i, s in ipairs(scopes) do
    local rpm, tpm = limits[i].rpm, limits[i].tpm
    if rpm and (requests < 0 or rpm - s.calls < rest) then
      requests, rest = rpm, math.max(rpm - s.calls, 0)
    end
    if tpm and (minute < 0 or tpm - s.minute < room) then
      minute, room = tpm, math.max(tpm - s.minute, 0)
    end
  end
  return answer(scopes, { 1, reserved, requests, rest, minute, room })
end

local scopes, limits, unseeded = open_all(2), {}, {}
for i, s in ipairs(scopes) do
  local l = limits_of(ARGV[i + 1])
  limits[i] = l
  if not s.seeded and (l.daily_tokens or l.monthly_tokens or l.monthly_budget_micros or l.seldom) then
    unseeded[#unseeded + 1] = i - 1
  end
end
if #unseeded > 0 and mode ~= 'adopt' then return answer(scopes, { 2, day_of(now), unpack(unseeded) }) end

local record = redis.call('GET', KEYS[1])
if record then
  return granted(scopes, limits, tonumber(string.match(record, '^%d+:(%d+)')))
end

local reserved = tokens
for i, s in ipairs(mode == 'adopt' and {} or scopes) do
  local fits, limit, wait = admits(s, limits[i], reserved)
  if not fits then return answer(scopes, { 0, i - 1, limit, wait, now }) end
  reserved = fits
end
local share, today = share_of(reserved), scopes[1]
local member = string.format('%d:%d:%d:%d:%s', reserved, share, today.day, today.month, id)
for _, s in ipairs(scopes) do hold(s, reserved, share, member) end
redis.call('SET', KEYS[1], string.format('%.0f:%s', now, member), 'PX', RECORD_MS)
return granted(scopes, limits, reserved)
