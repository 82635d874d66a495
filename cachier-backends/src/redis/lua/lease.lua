local seen, token, period = ARGV[4], ARGV[5], ARGV[6]
if version() ~= seen then return 'changed' end
-- The owner asks again when the answer was lost.
local held = owner()
if held and held ~= token then return { held } end
if redis.call('EXISTS', generation) == 0 then begin_generation() end
redis.call('SET', lease, valid(token), 'PX', period)
keep_generation()
return 'granted'
