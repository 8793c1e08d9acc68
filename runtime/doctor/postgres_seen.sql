select count(*) from historical_ticks where tick_uid = %(uid)s
