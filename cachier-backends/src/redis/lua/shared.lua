-- What all scripts begin with. Every name begins with the shard's, KEYS[1], and so shares its slot. Nothing is kept under
-- that very name, and there is a second one: so a cluster that moves the slot to another node refuses to run the script
-- (TRYAGAIN) until all has moved. It would find a part of what is there, and write what stands in the way of the rest.
local shard, channel, origin, member = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local entry, lease = shard .. '/' .. member, shard .. '/lease/' .. member
local generation = shard .. '/generation'
-- By member: when its entry was created (µs), when it expires (ms), and how many bytes it takes; '' is the sum of these.
local index, expiry, sizes = KEYS[2], shard .. '/expiry', shard .. '/sizes'

-- Which version of the entry there is; '' if there is none, or something that no entry is.
local function version()
  local length = redis.pcall('STRLEN', entry)
  if type(length) == 'table' then return '' end
  if length == 0 and redis.call('EXISTS', entry) == 0 then return '' end
  return length .. ':' .. redis.call('GETRANGE', entry, 0, 15)
end

-- What a valid lease of an owner looks like. One of another generation has ended; without any, all have.
local function valid(token)
  return (redis.call('GET', generation) or '') .. ' ' .. token
end

local function is_owner(token)
  return redis.call('GET', lease) == valid(token)
end

-- The token of whoever has a valid lease, if anybody has.
local function owner()
  local held, prefix = redis.call('GET', lease), valid('')
  return held and string.sub(held, 1, #prefix) == prefix and string.sub(held, #prefix + 1)
end

-- A day is longer than any lease lives without being granted or renewed.
local function keep_generation()
  redis.call('EXPIRE', generation, 86400)
end

-- Named after the time: one that is lost must not come back.
local function begin_generation()
  local time = redis.call('TIME')
  redis.call('SET', generation, time[1] .. '.' .. time[2], 'EX', 86400)
end

-- A user who may not publish may store all the same.
local function publish(what)
  redis.pcall('PUBLISH', channel, origin .. ' ' .. what)
end

local function publish_of(what)
  publish(what .. ' ' .. string.sub(member, -64))
end

-- Takes an entry that is gone out of the books.
local function forget(gone)
  local size = redis.call('HGET', sizes, gone)
  if size then
    redis.call('HDEL', sizes, gone)
    redis.call('HINCRBY', sizes, '', -size)
  end
  redis.call('ZREM', expiry, gone)
  redis.call('ZREM', index, gone)
  if redis.call('EXISTS', index) == 0 then redis.call('DEL', sizes) end
end

-- The time in milliseconds since 1970.
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Forgets entries that the server has dropped in time, this many at most; how many.
local function forget_expired(limit)
  local gone = redis.call('ZRANGEBYSCORE', expiry, '-inf', now(), 'LIMIT', 0, limit)
  for _, one in ipairs(gone) do forget(one) end
  return #gone
end
