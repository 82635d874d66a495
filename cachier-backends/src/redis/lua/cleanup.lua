-- Removes some of the shard's entries that are older; how many there were, and whether there may be more.
local before, limit = ARGV[4], tonumber(ARGV[5])
local old = redis.call('ZRANGEBYSCORE', index, '-inf', '(' .. before, 'LIMIT', 0, limit)
local removed = 0
for _, one in ipairs(old) do
  removed = removed + redis.call('UNLINK', shard .. '/' .. one)
  forget(one)
end
return { removed, #old == limit and 1 or 0 }
