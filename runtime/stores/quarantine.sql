create table if not exists quarantine (
  id integer primary key autoincrement,  -- never reused: somebody may have written it down to drop it
  at text not null default current_timestamp,
  reason text not null,
  uid text unique,
  pair text,
  price text,
  ts_us integer,
  recv_us integer,
  source text,
  entry_id text unique,
  payload blob
);
