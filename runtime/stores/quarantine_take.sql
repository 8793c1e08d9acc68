-- Whoever gets a row back was the one to remove it: two who drop the same rows count each once.
delete from quarantine
where id in (select value from json_each(:ids))
returning id, at, reason, uid, pair, price, ts_us, recv_us, source, entry_id, payload
