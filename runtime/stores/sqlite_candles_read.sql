select timestamp, open, high, low, close, volume, ticks, quality
from candles
where asset = :asset and timeframe = :timeframe and timestamp >= :from_ts and timestamp < :until_ts
order by timestamp desc
limit :limit;
