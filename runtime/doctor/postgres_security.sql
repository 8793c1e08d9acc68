-- Who we are, whether row level security binds us here, the policies that are there, and the server's clock.
select
  current_user::text,
  row_security_active('historical_ticks'),
  (select relrowsecurity from pg_class where oid = 'historical_ticks'::regclass),
  array(select policyname || ' (' || lower(cmd) || ')' from pg_policies where tablename = 'historical_ticks' order by 1),
  extract(epoch from clock_timestamp())::float8
