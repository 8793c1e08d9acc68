create table if not exists candles (
  asset text not null,
  timeframe text not null,
  timestamp integer not null,  -- opening second UTC
  open real not null,
  high real not null,
  low real not null,
  close real not null,
  volume real not null,
  ticks integer not null,
  quality text not null,
  primary key (asset, timeframe, timestamp)
) without rowid;
