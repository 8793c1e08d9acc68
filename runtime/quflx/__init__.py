"""QuFLX's Python calls on top of a relay in the host's process; `tickwire.quflx` is their public name."""
