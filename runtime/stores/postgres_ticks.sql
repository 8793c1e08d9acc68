-- Ordered by the index (pair, timestamp) first, so that the newest `limit` are found without sorting all.
select coalesce(ts_us, timestamp * 1000000), price::text
from historical_ticks
where pair = %(pair)s
  and timestamp between %(from_s)s and %(to_s)s
  and coalesce(ts_us, timestamp * 1000000) >= %(from_us)s
  and coalesce(ts_us, timestamp * 1000000) < %(to_us)s
order by timestamp desc, coalesce(ts_us, timestamp * 1000000) desc, id desc
limit %(limit)s
