delete from quarantine
where :ids is null or id in (select value from json_each(:ids))
