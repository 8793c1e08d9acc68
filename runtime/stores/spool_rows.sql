select row, entry from spool where row > ? order by row;
