"""What actors say to each other: frozen values, pure. One module a conversation.

`ticks` (live ticks and history on their way in), `candles`, `history` (questions and answers),
`lifecycle` (commands, states, ends), `telemetry` (what metrics are made of).
"""
