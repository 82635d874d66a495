-- Entries, bytes, and whether there may be more to forget first.
local limit = tonumber(ARGV[4])
local more = forget_expired(limit) == limit
return { redis.call('ZCARD', index), tonumber(redis.call('HGET', sizes, '') or 0), more and 1 or 0 }
