select tickwire_write_candles(%(rows)s::text)
