-- Removes the entry under the lease of an owner, which goes on; how many there were, or -1 if the lease has ended.
local token = ARGV[4]
if not is_owner(token) then return -1 end
local removed = redis.call('UNLINK', entry)
forget(member)
publish_of('entry')
return removed
