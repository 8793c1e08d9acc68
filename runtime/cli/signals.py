"""SIGINT and SIGTERM: the first asks for a clean stop, the second ends the process at once."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Set by a signal. It is polled: an Event's lock, taken in a handler, could be the one just interrupted."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """Of a command whose work this ended: Ctrl-C breaks it off, SIGTERM is how others end it in order."""
        return 130 if self.signal is signal.SIGINT else 0


@contextmanager
def stop_on_signals(end: Callable[[int], None] = os._exit) -> Iterator[StopRequest]:
    """Handlers for as long as the context lasts, set even where the shell handed SIGINT over as ignored."""
    request = StopRequest()

    def handle(number: int, _frame: FrameType | None) -> None:
        if request:
            end(128 + number)
        request.signal = signal.Signals(number)

    numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGBREAK] if hasattr(signal, "SIGBREAK") else [])]
    former = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield request
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
