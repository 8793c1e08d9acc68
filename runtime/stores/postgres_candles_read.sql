select tickwire_candles(%(asset)s, %(timeframe)s, %(from_ts)s, %(until_ts)s, %(limit)s)
