-- One scope (a user, or one of the user's tokens) as every quota script sees it; prepended to each of them.
-- Keys of a scope (one hash slot, so only `base` is declared): `base` holds the sums as one packed array, the ZSET
-- `base:w` the calls of the last minute by time of admission, the ZSET `base:h` the open holds by the end of their
-- lease. A sum always equals what its ZSET holds, or held until it expired with nothing current in it.
local WINDOW, LEASE = 60000000, 90000000 -- in µs, as all times here
local IDLE_MS, RECORD_MS = 172800000, 900000
local NEVER = 9007199254740992 -- 2^53
local ZSET_MS, REFRESH = 600000, 300000000 -- a ZSET lives 10 minutes, extended when 5 are over

local EMPTY = string.char(194, 255, 255) .. string.rep('\0', 17) -- packed: false, day and month -1, all else 0

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function day_of(at)
  return math.floor(at / 86400000000)
end

-- Months since year 0, of a day since 1970-01-01 (civil calendar).
local function month_of(day)
  local z = day + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local march = math.floor((5 * doy + 2) / 153)
  local month = march < 10 and march + 2 or march - 10
  return (yoe + era * 400 + (month <= 1 and 1 or 0)) * 12 + month
end

-- Weeks since that of 1970-01-01, a Thursday. They begin on Mondays.
local function week_of(day)
  return math.floor((day + 3) / 7)
end

-- What a hold reserves leaves the sums of its own day, week and month; those of an earlier one are gone already.
local function release(s, tokens, cost, day, month)
  if day == s.day then
    s.held_day = s.held_day - tokens
    s.held_day_cost = s.held_day_cost - cost
  end
  if day == s.day or week_of(day) == week_of(s.day) then s.held_week_cost = s.held_week_cost - cost end
  if month == s.month then
    s.held_month = s.held_month - tokens
    s.held_cost = s.held_cost - cost
  end
  s.changed = true
end

local function charge(s, tokens, cost, day, month)
  if not s.seeded then return end -- the ledger has it, or will when the counters are seeded
  if day == s.day then
    s.day_tokens = s.day_tokens + tokens
    s.day_cost = s.day_cost + cost
  end
  if day == s.day or week_of(day) == week_of(s.day) then s.week_cost = s.week_cost + cost end
  if month == s.month then
    s.month_tokens = s.month_tokens + tokens
    s.month_cost = s.month_cost + cost
  end
  s.changed = true
end

-- A hold, in the record of its ask and as a member of `base:h`: "tokens:cost:day:month".
local function parse_hold(text)
  local tokens, cost, day, month = string.match(text, '^(%d+):(%d+):(%d+):(%d+)')
  return tonumber(tokens), tonumber(cost), tonumber(day), tonumber(month)
end

-- Calls older than a minute leave the window. `oldest` says when there is something to look for.
local function slide(s)
  if now - WINDOW < s.oldest then return end
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', s.window, '-inf', now - WINDOW)) do
    local state, tokens = string.match(entry, '^(%a)(%d+)')
    s.minute = s.minute - tokens
    if state == 'r' then s.minute_held = s.minute_held - tokens end
  end
  redis.call('ZREMRANGEBYSCORE', s.window, '-inf', now - WINDOW)
  local next_one = redis.call('ZRANGE', s.window, 0, 0, 'WITHSCORES')[2]
  s.calls = next_one and redis.call('ZCARD', s.window) or 0
  if s.calls == 0 then s.minute, s.minute_held = 0, 0 end
  s.oldest, s.changed = tonumber(next_one) or NEVER, true
end

-- Holds whose lease is over are released. No lease ends before `lapses`.
local function lapse(s)
  if now < s.lapses then return end
  for _, hold in ipairs(redis.call('ZRANGEBYSCORE', s.holds, '-inf', now)) do release(s, parse_hold(hold)) end
  redis.call('ZREMRANGEBYSCORE', s.holds, '-inf', now)
  local next_one = redis.call('ZRANGE', s.holds, 0, 0, 'WITHSCORES')[2]
  s.open = next_one and redis.call('ZCARD', s.holds) or 0
  if s.open == 0 then
    s.held_day, s.held_month, s.held_cost, s.held_day_cost, s.held_week_cost = 0, 0, 0, 0, 0
  end
  s.lapses, s.changed = tonumber(next_one) or NEVER, true
end

local function turn_calendar(s)
  local today = day_of(now)
  if s.day == today then return end
  local month = month_of(today)
  if s.month ~= month then
    s.month, s.month_tokens, s.month_cost, s.held_month, s.held_cost = month, 0, 0, 0, 0
  end
  if week_of(s.day) ~= week_of(today) then s.week_cost, s.held_week_cost = 0, 0 end
  s.day, s.day_tokens, s.held_day, s.day_cost, s.held_day_cost = today, 0, 0, 0, 0
  s.changed = true
end

-- The scope as of now: day, week and month turned, the window slid, lapsed holds released. `seeded` is when its counters
-- came from the ledger, false before.
local function open(base)
  local packed = redis.call('GET', base) or EMPTY
  local seeded, day, month, day_tokens, month_tokens, month_cost, held_day, held_month, held_cost,
    calls, minute, minute_held, oldest, open_holds, lapses, refreshed,
    day_cost, week_cost, held_day_cost, held_week_cost = cmsgpack.unpack(packed)
  if not day_cost then -- written by a release that knew no money of days and weeks: the ledger does
    seeded, day_cost, week_cost, held_day_cost, held_week_cost = false, 0, 0, held_cost, held_cost
  end
  local s = { -- written at once: a table that grows by the field is slow
    base = base, window = base .. ':w', holds = base .. ':h', changed = false,
    seeded = seeded, day = day, month = month, day_tokens = day_tokens, month_tokens = month_tokens,
    month_cost = month_cost, held_day = held_day, held_month = held_month, held_cost = held_cost,
    calls = calls, minute = minute, minute_held = minute_held, oldest = oldest,
    open = open_holds, lapses = lapses, refreshed = refreshed,
    day_cost = day_cost, week_cost = week_cost, held_day_cost = held_day_cost, held_week_cost = held_week_cost,
  }
  turn_calendar(s)
  slide(s)
  lapse(s)
  return s
end

local function save(s)
  if not s.changed then return end
  if now - s.refreshed > REFRESH then
    s.refreshed = now
    redis.call('PEXPIRE', s.window, ZSET_MS)
    redis.call('PEXPIRE', s.holds, ZSET_MS)
  end
  redis.call('SET', s.base, cmsgpack.pack(s.seeded, s.day, s.month, s.day_tokens, s.month_tokens, s.month_cost,
    s.held_day, s.held_month, s.held_cost, s.calls, s.minute, s.minute_held, s.oldest, s.open, s.lapses,
    s.refreshed, s.day_cost, s.week_cost, s.held_day_cost, s.held_week_cost), 'PX', IDLE_MS)
end

-- A call admitted at `at` enters the window: `state` is "r" while its tokens are reserved, "s" once settled.
local function enter(s, at, state, tokens, id)
  redis.call('ZADD', s.window, at, state .. tokens .. ':' .. id)
  if s.calls == 0 then redis.call('PEXPIRE', s.window, ZSET_MS) end
  s.calls, s.minute, s.oldest = s.calls + 1, s.minute + tokens, math.min(s.oldest, at)
  if state == 'r' then s.minute_held = s.minute_held + tokens end
  s.changed = true
end

-- The entry of a call leaves the window, if it has not yet.
local function withdraw(s, state, tokens, id)
  if redis.call('ZREM', s.window, state .. tokens .. ':' .. id) == 0 then return false end
  s.calls, s.minute = s.calls - 1, s.minute - tokens
  if state == 'r' then s.minute_held = s.minute_held - tokens end
  s.changed = true
  return true
end

local function open_all(first)
  local scopes = {}
  for i = first, #KEYS do scopes[#scopes + 1] = open(KEYS[i]) end
  return scopes
end

-- Every script ends here: what opening a scope tidied is kept, whatever the answer.
local function answer(scopes, reply)
  for _, s in ipairs(scopes) do save(s) end
  return reply
end

