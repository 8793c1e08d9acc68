create table if not exists ledger (
  asset text not null,
  minute integer not null,  -- opening second UTC of the minute of receipt; of its day once folded
  fate text not null,
  reason text not null,
  count integer not null,
  primary key (asset, minute, fate, reason)
) without rowid;
-- Entries whose postings are in: the key that makes a repeat harmless.
create table if not exists posted (
  entry integer primary key  -- the spool's row number
);
-- The newest receipt of each asset: where a hole begins.
create table if not exists seen (
  asset text primary key,
  recv_us integer not null
) without rowid;
create table if not exists holes (
  id integer primary key,
  asset text not null,
  from_us integer not null,  -- the last tick accepted before it
  to_us integer,             -- the first one accepted after it, null while there is none
  reason text not null
);
create index if not exists holes_open on holes (asset) where to_us is null;
