local token = ARGV[4]
if not is_owner(token) then return 0 end
redis.call('DEL', lease)
publish_of('lease')
return 1
