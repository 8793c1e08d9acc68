"""How long a store's call may take, and how it is ended.

Time-outs of the libraries bound one read or one statement each, not the call: looking up a name has none at all, and a
server that stands still acknowledges for ever. So a call runs in a thread of its own, and after its time is up its
socket is shut and its thread left to end by itself. What an abandoned call still does is harmless: rows are keyed.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds. Both leave room below what `actors.ports.Store` promises, 10 and 4."""

    call_s: float = 9.0
    hurried_s: float = 3.5


class CallTimedOut(Exception):
    """The call had no outcome in time; it was abandoned."""


def within(seconds: float, call: Callable[[], T], *, shut: Callable[[], None]) -> T:
    """What `call` returns or raises; after `seconds` calls `shut` and raises CallTimedOut.

    `shut` runs in the caller's thread, beside the call.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - not handled here: raised again in the caller's thread
            outcome.set_exception(error)
        else:
            outcome.set_result(result)

    Thread(target=run, name="store-call", daemon=True).start()
    try:
        return outcome.result(seconds)
    except TimeoutError:  # the waiting's, or one that the call itself raised
        if outcome.done():
            raise
        shut()
        raise CallTimedOut(f"no answer within {seconds:g} s") from None
