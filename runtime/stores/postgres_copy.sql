copy tickwire_incoming (tick_uid, pair, price, timestamp, ts_us, recv_us, source) from stdin
