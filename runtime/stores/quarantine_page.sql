-- Page by page, so that no transaction is long: a relay puts rows in meanwhile. :ids is a JSON list, null for all.
select id, at, reason, uid, pair, price, ts_us, recv_us, source, entry_id, payload
from quarantine
where id > :after and id <= :last
  and (:ids is null or id in (select value from json_each(:ids)))
order by id
limit :limit
