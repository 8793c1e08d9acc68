-- Not `insert or ignore`: that would also skip, without a word, a row that a constraint of an older table refuses.
insert into historical_ticks (tick_uid, pair, price, timestamp, ts_us, recv_us, source)
values (?, ?, ?, ?, ?, ?, ?)
on conflict (tick_uid) do nothing;
