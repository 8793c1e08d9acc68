-- What the table has: (column names, whether a valid unique index on tick_uid alone is there), no row without the table.
select
  array(
    select attname::text from pg_attribute
    where attrelid = found.oid and attnum > 0 and not attisdropped
  ),
  exists (
    select from pg_index
    join pg_attribute on attrelid = indrelid and attname = 'tick_uid'
    where indrelid = found.oid and indisunique and indisvalid and indpred is null
      and indnkeyatts = 1 and indkey[0] = attnum
  )
from (select to_regclass('historical_ticks') as oid) as found
where found.oid is not null
