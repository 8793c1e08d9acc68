"""`tickwire bench`: a paced WebSocket feed → a relay → a Redis subscriber, each a process of its own, measured.

`feed` sends, `subscriber` measures, `baseline` is the relay that tickwire replaces (per tick: json, a pipeline of
LPUSH and LTRIM, then PUBLISH), `scenario` runs them side by side, `report` makes the table, `command` shows it.
"""
