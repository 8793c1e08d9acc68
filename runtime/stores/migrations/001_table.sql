-- A fresh database gets QuFLX's table and its row level security: anybody reads, `authenticated` writes.
-- A table that is there is left as it is, with its owner's policies.
do $$
declare
  web_role text;
begin
  if to_regclass('historical_ticks') is not null then
    return;
  end if;
  create table historical_ticks (
    id bigserial primary key,
    pair varchar(20) not null,
    price numeric(20, 10) not null,
    timestamp bigint not null, -- whole seconds UTC
    created_at timestamptz default now()
  );
  alter table historical_ticks enable row level security;
  create policy historical_ticks_read on historical_ticks for select using (true);
  -- Supabase's roles; a plain Postgres has none of them, and there the owner writes, whom policies do not bind.
  foreach web_role in array array['anon', 'authenticated', 'service_role'] loop
    if exists (select from pg_roles where rolname = web_role) then
      execute format('grant select on historical_ticks to %I', web_role);
      if web_role <> 'anon' then
        execute format('grant insert on historical_ticks to %I', web_role);
        execute format('grant usage on sequence historical_ticks_id_seq to %I', web_role);
      end if;
    end if;
  end loop;
  if exists (select from pg_roles where rolname = 'authenticated') then
    create policy historical_ticks_write on historical_ticks for insert to authenticated with check (true);
  end if;
end
$$;
