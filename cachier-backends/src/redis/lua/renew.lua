local token, period = ARGV[4], ARGV[5]
if not is_owner(token) then return 0 end
keep_generation()
return redis.call('PEXPIRE', lease, period)
