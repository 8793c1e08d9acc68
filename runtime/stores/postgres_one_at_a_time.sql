-- Tried, never waited for: a session that waits in a statement would hold up the index that the other one builds.
select pg_try_advisory_lock(hashtextextended('tickwire migrate', 0))
