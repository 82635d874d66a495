-- Whatever lease there is ends by this.
local token, period = ARGV[4], ARGV[5]
if redis.call('EXISTS', generation) == 0 then begin_generation() end
redis.call('SET', lease, valid(token), 'PX', period)
keep_generation()
return 1
