-- Indexes of ours that a broken-off `create index concurrently` has left behind: there, kept up to date, and of no use.
select quote_ident(relnamespace::regnamespace::text) || '.' || quote_ident(relname)
from pg_index
join pg_class on pg_class.oid = indexrelid
where indrelid in (to_regclass('historical_ticks'), to_regclass('candles')) and not indisvalid
  and relname in ('historical_ticks_uid', 'historical_ticks_pair_timestamp', 'candles_asset_timeframe_timestamp')
