-- For how many milliseconds there is something to wait for.
local seen = ARGV[4]
if version() ~= seen or not is_leased() then return 0 end
return redis.call('PTTL', lease)
