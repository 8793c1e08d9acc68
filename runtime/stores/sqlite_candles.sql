-- The better known state of a candle stays, in whatever order they come: market/candle_rows.py has the same rule.
insert into candles (asset, timeframe, timestamp, open, high, low, close, volume, ticks, quality)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (asset, timeframe, timestamp) do update set
  open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
  volume = excluded.volume, ticks = excluded.ticks, quality = excluded.quality
where
  (excluded.quality in ('live', 'backfilled'), excluded.ticks, instr('gap partial backfilled live', excluded.quality),
    excluded.high, -excluded.low, excluded.close, excluded.open)
  > (candles.quality in ('live', 'backfilled'), candles.ticks, instr('gap partial backfilled live', candles.quality),
    candles.high, -candles.low, candles.close, candles.open);
