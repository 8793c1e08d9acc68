insert into tickwire_incoming (tick_uid, pair, price, timestamp, ts_us, recv_us, source)
values (%(uid)s, 'DOCTOR', 1, 0, 0, 0, 'doctor')
