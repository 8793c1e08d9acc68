-- By itself and outside a transaction. Not partial, or `on conflict (tick_uid)` would not find it.
create unique index concurrently if not exists historical_ticks_uid
  on historical_ticks (tick_uid);
