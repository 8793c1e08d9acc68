-- What tickwire adds. `timestamp` stays the whole second; old writers leave the new columns null.
alter table historical_ticks
  add column if not exists tick_uid uuid,
  add column if not exists ts_us bigint,
  add column if not exists recv_us bigint,
  add column if not exists source text;

-- NaN is greater than every number, so that `price > 0` alone would let it in. Old writers' rows are not judged, and
-- `not valid` spares the table a scan: no row that is there now has a uid.
do $$
begin
  if not exists (
    select from pg_constraint
    where conrelid = 'historical_ticks'::regclass and conname = 'historical_ticks_price'
  ) then
    alter table historical_ticks add constraint historical_ticks_price
      check (tick_uid is null or (price > 0 and price < 1e10)) not valid;
  end if;
end
$$;

-- PostgREST learns of the columns; nobody listens elsewhere.
notify pgrst, 'reload schema';
