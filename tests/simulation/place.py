"""What actors and adapters take from modules rather than from ports, put in place for the length of a run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from unittest.mock import patch

from simulation.clock import SimClock
from simulation.disk import Disk

from tickwire.runtime import drain as drain_module

Wait = Callable[[Callable[[], bool], float], None]


@contextmanager
def in_place(disk: Disk, random: Random, clock: SimClock, wait: Wait) -> Iterator[None]:
    """SQLite under spool, quarantine and ledger, the randomness of epochs, the time of the drain."""
    with (
        patch("tickwire.runtime.stores.spool.sqlite3", disk),
        patch("tickwire.runtime.stores.quarantine.sqlite3", disk),
        patch("tickwire.runtime.stores.ledger.sqlite3", disk),
        patch("tickwire.market.identity.os.urandom", random.randbytes),
        patch.object(drain_module, "time", _DrainTime(clock, wait)),
    ):
        yield


class _DrainTime:
    """Stands in for the module `time`: to sleep is to let the world go on."""

    def __init__(self, clock: SimClock, wait: Wait) -> None:
        self.monotonic = clock.monotonic
        self._wait = wait

    def sleep(self, seconds: float) -> None:
        self._wait(lambda: False, seconds)
