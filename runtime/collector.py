"""Python's garbage collector, set for a process that relays: fewer and shorter passes.

Ticks make objects by the hundred thousand and hardly a cycle. With Python's own settings the collector passes over
them, and over all that start-up left, many times a second; measured, that costs a third of the ticks at full speed.
"""

import gc

YOUNG = 50_000
"""Objects more than were freed before a pass over the young ones (Python's own: 700 or 2000)."""
MIDDLE, OLD = 20, 50
"""Passes of one generation before one of the next."""


def spare_collector() -> None:
    """Call once, after start-up: for a process of ours. A host that embeds a relay decides for itself."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
