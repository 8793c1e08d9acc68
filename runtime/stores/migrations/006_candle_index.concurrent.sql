-- By itself and outside a transaction. A candle is there once.
create unique index concurrently if not exists candles_asset_timeframe_timestamp
  on candles (asset_id, timeframe, timestamp);
