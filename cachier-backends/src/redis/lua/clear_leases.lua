end_leases()
publish('leases')
return 1
