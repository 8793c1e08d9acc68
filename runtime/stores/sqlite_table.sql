create table if not exists historical_ticks (
  id integer primary key,
  pair text,
  price text,
  timestamp integer,
  created_at text default current_timestamp,
  tick_uid text unique,
  ts_us integer,
  recv_us integer,
  source text
);
