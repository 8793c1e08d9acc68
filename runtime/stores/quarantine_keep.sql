insert or ignore into quarantine (id, at, reason, uid, pair, price, ts_us, recv_us, source, entry_id, payload)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
