local seen, token, period = ARGV[4], ARGV[5], ARGV[6]
if version() ~= seen then return 'changed' end
if is_leased() then return 'held' end
redis.call('SET', lease, valid(token), 'PX', period)
keep_generation()
return 'granted'
