local token, created, expires, bytes = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
if token ~= '' and not is_owner(token) then return 0 end

local stored
if expires == '' then
  stored = redis.pcall('SET', entry, bytes)
else
  stored = redis.pcall('SET', entry, bytes, 'PXAT', expires)
end
redis.pcall('DEL', lease)
if stored.err then
  publish_of('lease')
  return stored
end

local before = redis.call('HGET', sizes, member) or 0
redis.call('HSET', sizes, member, #bytes)
redis.call('HINCRBY', sizes, '', #bytes - before)
redis.call('ZADD', index, created, member)
if expires == '' then
  redis.call('ZREM', expiry, member)
else
  redis.call('ZADD', expiry, expires, member)
end
forget_expired(16)
publish_of('entry')
return 1
