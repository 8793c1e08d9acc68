-- Candles, in QuFLX's shape: by the asset's id. A table that is there is left as it is, with its owner's policies.
do $$
declare
  web_role text;
  made text;
  fresh text[] := '{}';
begin
  if to_regclass('assets') is null then
    create table assets (
      id bigserial primary key,
      symbol text not null unique, -- the broker's spelling
      base_currency text,
      quote_currency text,
      display_name text,
      asset_type text,
      is_active boolean default true
    );
    fresh := fresh || 'assets'::text;
  end if;
  if to_regclass('candles') is null then
    execute format(
      'create table candles (asset_id %s not null references assets (id), timeframe text not null,'
      ' timestamp timestamptz not null, open numeric(20, 10) not null, high numeric(20, 10) not null,'
      ' low numeric(20, 10) not null, close numeric(20, 10) not null, volume numeric)',
      (select format_type(atttypid, atttypmod) from pg_attribute
        where attrelid = 'assets'::regclass and attname = 'id')
    );
    fresh := fresh || 'candles'::text;
  end if;
  foreach made in array fresh loop
    execute format('alter table %I enable row level security', made);
    execute format('create policy %I on %I for select using (true)', made || '_read', made);
    foreach web_role in array array['anon', 'authenticated', 'service_role'] loop
      if exists (select from pg_roles where rolname = web_role) then
        execute format('grant select on %I to %I', made, web_role);
        if web_role <> 'anon' then
          execute format('grant insert, update on %I to %I', made, web_role);
        end if;
        if web_role <> 'anon' and made = 'assets' then
          execute format('grant usage on sequence assets_id_seq to %I', web_role);
        end if;
      end if;
    end loop;
    if exists (select from pg_roles where rolname = 'authenticated') then
      execute format('create policy %I on %I for insert to authenticated with check (true)', made || '_write', made);
      execute format(
        'create policy %I on %I for update to authenticated using (true) with check (true)', made || '_better', made
      );
    end if;
  end loop;
end
$$;

-- What tickwire adds; old writers leave both null.
alter table candles
  add column if not exists ticks bigint,
  add column if not exists quality text;

-- As JSON text (PostgREST and its look-alikes differ in how they pass arrays):
-- `[{"asset":…,"timeframe":…,"timestamp":seconds,"open":…,"high":…,"low":…,"close":…,"volume":…,"ticks":…,"quality":…},…]`,
-- each candle once. Returns how many were new or better known: of two states of a candle the better stays, in whatever
-- order they come (market/candle_rows.py has the same rule). One of an old writer counts as whole, without ticks.
create or replace function tickwire_write_candles(candle_rows text) returns bigint
language plpgsql as $$
declare
  changed bigint;
begin
  insert into assets (symbol, display_name, is_active)
  select distinct given.asset, given.asset, true
  from jsonb_to_recordset(candle_rows::jsonb) as given (asset text)
  where not exists (select from assets as known where known.symbol = given.asset)
  on conflict do nothing;

  insert into candles as kept (asset_id, timeframe, timestamp, open, high, low, close, volume, ticks, quality)
  select
    (select known.id from assets as known where known.symbol = given.asset order by known.id limit 1),
    given.timeframe, to_timestamp(given."timestamp"), given.open, given.high, given.low, given.close,
    given.volume, given.ticks, given.quality
  from jsonb_to_recordset(candle_rows::jsonb) as given (
    asset text, timeframe text, "timestamp" bigint, open numeric, high numeric, low numeric, close numeric,
    volume numeric, ticks bigint, quality text
  )
  order by given.asset, given.timeframe, given."timestamp" -- two writers lock rows in the same order
  on conflict (asset_id, timeframe, timestamp) do update set
    open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
    volume = excluded.volume, ticks = excluded.ticks, quality = excluded.quality
  where
    (excluded.quality in ('live', 'backfilled'), excluded.ticks,
      position(excluded.quality in 'gap partial backfilled live'),
      excluded.high, -excluded.low, excluded.close, excluded.open)
    > (coalesce(kept.quality, 'backfilled') in ('live', 'backfilled'), coalesce(kept.ticks, 0),
      position(coalesce(kept.quality, 'backfilled') in 'gap partial backfilled live'),
      kept.high, -kept.low, kept.close, kept.open);
  get diagnostics changed = row_count;
  return changed;
end
$$;

-- The newest `most` candles that open from `from_s` on and before `until_s`, ascending, as a JSON array.
create or replace function tickwire_candles(
  of_asset text, of_timeframe text, from_s bigint, until_s bigint, most integer
) returns jsonb
language sql stable as $$
  select coalesce(jsonb_agg(to_jsonb(newest) order by newest."timestamp"), '[]')
  from (
    select
      extract(epoch from candles.timestamp)::bigint as "timestamp",
      open, high, low, close, coalesce(volume, 0) as volume, coalesce(ticks, 0) as ticks,
      coalesce(quality, 'backfilled') as quality
    from candles
    join assets on assets.id = candles.asset_id
    where assets.symbol = of_asset
      and candles.timeframe = of_timeframe
      and candles.timestamp >= to_timestamp(from_s)
      and candles.timestamp < to_timestamp(until_s)
    order by candles.timestamp desc
    limit most
  ) as newest
$$;

notify pgrst, 'reload schema';
