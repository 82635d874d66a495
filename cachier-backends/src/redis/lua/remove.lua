local removed = redis.call('UNLINK', entry)
redis.call('DEL', lease)
forget(member)
publish_of('entry')
return removed
