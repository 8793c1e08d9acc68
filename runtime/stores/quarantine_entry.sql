insert or ignore into quarantine (reason, entry_id, payload)
values (?, ?, ?);
