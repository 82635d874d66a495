-- Clears some of the shard's entries; how many there were, and whether there may be more.
local limit = tonumber(ARGV[4])
begin_generation()
local popped = redis.call('ZPOPMIN', index, limit)
local removed = 0
for i = 1, #popped, 2 do
  removed = removed + redis.call('UNLINK', shard .. '/' .. popped[i])
  forget(popped[i])
end
local more = #popped == 2 * limit
if not more then publish('all') end
return { removed, more and 1 or 0 }
