insert into historical_ticks (tick_uid, pair, price, timestamp, ts_us, recv_us, source)
select tick_uid, pair, price, timestamp, ts_us, recv_us, source from tickwire_incoming
on conflict (tick_uid) do nothing
