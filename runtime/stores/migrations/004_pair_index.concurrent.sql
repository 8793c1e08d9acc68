-- By itself and outside a transaction. History is read by asset and time.
create index concurrently if not exists historical_ticks_pair_timestamp
  on historical_ticks (pair, timestamp);
