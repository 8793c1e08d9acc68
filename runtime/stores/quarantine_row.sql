insert or ignore into quarantine (reason, uid, pair, price, ts_us, recv_us, source)
values (?, ?, ?, ?, ?, ?, ?);
