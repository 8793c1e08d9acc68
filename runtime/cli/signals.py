"""SIGINT and SIGTERM: the first asks for a clean stop, a later one ends the process at once.

Those within a second of the first count as the same: a signal to a whole process group comes once from the system and
once more from each parent that hands it on, as `make run` does.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SAME_S = 1.0


class StopRequest:
    """Set by a signal. It is polled: an Event's lock, taken in a handler, could be the one just interrupted."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self.at = 0.0

    def __bool__(self) -> bool:
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """Of a command whose work this ended: Ctrl-C breaks it off, SIGTERM is how others end it in order."""
        return 130 if self.signal is signal.SIGINT else 0


@contextmanager
def stop_on_signals(
    end: Callable[[int], None] = os._exit, monotonic: Callable[[], float] = time.monotonic
) -> Iterator[StopRequest]:
    """Handlers for as long as the context lasts, set even where the shell handed SIGINT over as ignored."""
    request = StopRequest()

    def handle(number: int, _frame: FrameType | None) -> None:
        if not request:
            request.signal, request.at = signal.Signals(number), monotonic()
        elif monotonic() - request.at > SAME_S:
            end(128 + number)

    numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGBREAK] if hasattr(signal, "SIGBREAK") else [])]
    former = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield request
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
