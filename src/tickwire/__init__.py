"""tickwire relays market ticks in real time and loses nothing it accepted."""
