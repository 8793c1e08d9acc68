select count(*), coalesce(sum(length(entry)), 0) from spool
