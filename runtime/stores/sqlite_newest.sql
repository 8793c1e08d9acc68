select coalesce(ts_us, timestamp * 1000000)
from historical_ticks
where pair = :pair
order by timestamp desc, coalesce(ts_us, timestamp * 1000000) desc
limit 1;
