-- Ordered by the index (pair, timestamp) first, so that the newest `limit` are found without sorting all.
select coalesce(ts_us, timestamp * 1000000), price
from historical_ticks
where pair = :pair
  and timestamp between :from_us / 1000000 and :to_us / 1000000
  and coalesce(ts_us, timestamp * 1000000) >= :from_us
  and coalesce(ts_us, timestamp * 1000000) < :to_us
order by timestamp desc, coalesce(ts_us, timestamp * 1000000) desc, id desc
limit :limit;
