-- Kept over transactions where the session is ours, made again where a pooler hands out another one.
create temporary table if not exists tickwire_incoming (
  tick_uid uuid not null,
  pair varchar(20) not null,
  price numeric(20, 10) not null,
  timestamp bigint not null,
  ts_us bigint not null,
  recv_us bigint not null,
  source text not null
) on commit delete rows
