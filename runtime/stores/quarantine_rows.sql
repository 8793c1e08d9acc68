select id, at, reason, uid, pair, price, ts_us, recv_us, source, entry_id, payload
from quarantine where id > ? order by id;
