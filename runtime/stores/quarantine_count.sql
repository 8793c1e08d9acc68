select count(*), coalesce(max(id), 0)
from quarantine
where :ids is null or id in (select value from json_each(:ids))
