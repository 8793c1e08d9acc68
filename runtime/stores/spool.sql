create table if not exists spool (
  row integer primary key autoincrement,  -- never reused, though the spool empties
  entry blob not null
);
create table if not exists taken (
  sender text primary key,
  number integer not null
) without rowid;
create table if not exists meta (
  name text primary key,
  value integer not null
) without rowid;
