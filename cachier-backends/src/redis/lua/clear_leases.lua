begin_generation()
publish('leases')
return 1
