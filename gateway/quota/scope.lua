-- One scope (a user, or one of the user's tokens) as every quota script sees it; prepended to each of them.
-- Keys of a scope: the hash at `base` holds sums, the ZSET `base:w` the calls of the last minute by time of admission,
-- the ZSET `base:h` the open holds by the end of their lease. A sum always equals what its ZSET holds.
local WINDOW, LEASE = 60000000, 90000000 -- in µs, as all times here
local IDLE_MS, WINDOW_MS, LEASE_MS, RECORD_MS = 172800000, 120000, 180000, 900000

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

-- What a hold reserves leaves the sums of its own day and month; those of an earlier one are gone already.
local function release(s, tokens, cost, day, month)
  if day == s.day then s.held_day = s.held_day - tokens end
  if month == s.month then
    s.held_month = s.held_month - tokens
    s.held_cost = s.held_cost - cost
  end
  s.changed = true
end

local function charge(s, tokens, cost, day, month)
  if not s.seeded then return end -- the ledger has it, or will when the counters are seeded
  if day == s.day then s.day_tokens = s.day_tokens + tokens end
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

local function slide(s)
  local gone = redis.call('ZRANGEBYSCORE', s.window, '-inf', now - WINDOW)
  if #gone > 0 then
    redis.call('ZREMRANGEBYSCORE', s.window, '-inf', now - WINDOW)
    for _, entry in ipairs(gone) do
      local state, tokens = string.match(entry, '^(%a)(%d+)')
      s.minute = s.minute - tokens
      if state == 'r' then s.minute_held = s.minute_held - tokens end
    end
    s.changed = true
  end
  s.calls = redis.call('ZCARD', s.window)
  if s.calls == 0 then s.minute, s.minute_held = 0, 0 end
end

local function lapse(s)
  local gone = redis.call('ZRANGEBYSCORE', s.holds, '-inf', now)
  if #gone > 0 then
    redis.call('ZREMRANGEBYSCORE', s.holds, '-inf', now)
    for _, hold in ipairs(gone) do release(s, parse_hold(hold)) end
  end
  s.open = redis.call('ZCARD', s.holds)
  if s.open == 0 then s.held_day, s.held_month, s.held_cost = 0, 0, 0 end
end

local function turn_calendar(s)
  local today = day_of(now)
  if s.day == today then return end
  local month = month_of(today)
  if s.month ~= month then
    s.month, s.month_tokens, s.month_cost, s.held_month, s.held_cost = month, 0, 0, 0, 0
  end
  s.day, s.day_tokens, s.held_day = today, 0, 0
  s.changed = true
end

-- The scope as of now: day and month turned, the window slid, lapsed holds released.
local function open(base)
  local v = redis.call('HMGET', base, 'seeded', 'day', 'month', 'day_tokens', 'month_tokens', 'month_cost',
    'held_day', 'held_month', 'held_cost', 'minute', 'minute_held')
  local s = {
    base = base, window = base .. ':w', holds = base .. ':h', changed = false,
    seeded = tonumber(v[1] or nil), day = tonumber(v[2] or nil), month = tonumber(v[3] or nil),
    day_tokens = tonumber(v[4] or 0), month_tokens = tonumber(v[5] or 0), month_cost = tonumber(v[6] or 0),
    held_day = tonumber(v[7] or 0), held_month = tonumber(v[8] or 0), held_cost = tonumber(v[9] or 0),
    minute = tonumber(v[10] or 0), minute_held = tonumber(v[11] or 0),
  }
  turn_calendar(s)
  slide(s)
  lapse(s)
  return s
end

local function save(s)
  if not s.changed then return end
  redis.call('HSET', s.base, 'day', s.day, 'month', s.month, 'day_tokens', s.day_tokens,
    'month_tokens', s.month_tokens, 'month_cost', s.month_cost, 'held_day', s.held_day,
    'held_month', s.held_month, 'held_cost', s.held_cost, 'minute', s.minute, 'minute_held', s.minute_held)
  redis.call('PEXPIRE', s.base, IDLE_MS)
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

