-- Replace the reservation of an ask by what it used; once, however often and however late this is called.
-- KEYS: the record of the ask, then the base of each scope. ARGV: "id tokens cost age mode"; `age` is how many µs ago
-- the call ended, by the caller's steady clock; mode "undo" takes back a reservation whose call never was, "recover" is
-- for a call that only just reached the ledger, so that counters which were seeded before don't know it.
-- A record is "admitted:tokens:cost:day:month:id" while open, "admitted:tokens:settled" afterwards.
local LEDGER_LAG = 2000000 -- a settled call is in the ledger at the latest this long after it ended

local id, tokens, cost, age, mode = string.match(ARGV[1], '^(%S+) (%d+) (%d+) (%d+) (%a+)$')
tokens, cost, age = tonumber(tokens), tonumber(cost), tonumber(age)
local undo = mode == 'undo'

-- The call was never reserved here, or the record is lost. If counters were seeded since it ended, they know it.
local function charge_unknown(s)
  local ended = now - age
  if ended > now - WINDOW then enter(s, ended, 's', tokens, id) end
  if s.seeded and (mode == 'recover' or ended >= s.seeded - LEDGER_LAG) then
    local day = day_of(ended)
    charge(s, tokens, cost, day, month_of(day))
  end
end

local function charge_known(s, admitted, member, reserved, share, day, month)
  if redis.call('ZREM', s.holds, member) == 1 then
    s.open = s.open - 1
    release(s, reserved, share, day, month)
  end
  local current = withdraw(s, 'r', reserved, id)
  if undo then return end
  if current then enter(s, tonumber(admitted), 's', tokens, id) end
  charge(s, tokens, cost, day, month)
end

local record = redis.call('GET', KEYS[1])
if record and string.sub(record, -8) == ':settled' or undo and not record then return 0 end
local admitted, member = string.match(record or '', '^(%d+):(.+)$')
local scopes = open_all(2)
local reserved, share, day, month = parse_hold(member or '')
for _, s in ipairs(scopes) do
  if member then charge_known(s, admitted, member, reserved, share, day, month) else charge_unknown(s) end
end
if undo then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], string.format('%.0f:%.0f:settled', admitted or now, reserved or tokens), 'PX', RECORD_MS)
end
return answer(scopes, 1)
