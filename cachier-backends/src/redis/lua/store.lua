-- Books all of whose entries expire end with the last of these; a function may never be called again.
local function keep_books(expires)
  local books, left = { index, expiry, sizes }, redis.call('PTTL', index)
  if expires == '' then
    if left >= 0 then
      for _, book in ipairs(books) do redis.call('PERSIST', book) end
    end
  elseif left >= 0 or redis.call('ZCARD', index) == 1 then
    local last = math.max(expires, left >= 0 and now() + left or 0)
    for _, book in ipairs(books) do redis.call('PEXPIREAT', book, string.format('%.0f', last)) end
  end
end

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
keep_books(expires)
forget_expired(16)
publish_of('entry')
return 1
