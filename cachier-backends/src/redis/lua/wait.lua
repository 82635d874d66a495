-- For how many milliseconds there is something to wait for.
local seen = ARGV[4]
if version() ~= seen or not owner() then return 0 end
return redis.call('PTTL', lease)
