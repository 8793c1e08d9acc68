"""BatchWriter's store seen as a connection: connecting → up → degraded → up …, as Redis' links are.

It knows when to try again, how many rows a call may take, and tells each change of its state.
"""

from collections.abc import Callable, Sequence
from random import Random

import structlog

from tickwire.actors.ports import Clock, Store, StoreError, StoreRefusedRows, StoreUnavailable
from tickwire.market.backoff import Backoff
from tickwire.market.candle_rows import CandleRow
from tickwire.market.rows import Row
from tickwire.messages.lifecycle import LinkChanged, LinkState

_log = structlog.get_logger("tickwire.batch_writer")

PEACE_S = 0.25
"""After a failure not even a flush tries again sooner: it is asked for again and again while a stop waits."""
HURRY_S = 15.0
"""So long calls stay short after a flush: a stop flushes in rounds, and none of its calls may begin as a long one."""


class StoreLink:
    """Used in its actor's thread alone."""

    def __init__(self, store: Store, *, clock: Clock, random: Random, tell: Callable[[LinkChanged], None]) -> None:
        self._store = store
        self._clock = clock
        self._tell = tell
        self._backoff = Backoff(min_s=0.5, max_s=30.0, random=random)
        self._size = store.batch_rows
        self._not_before = 0.0
        self._hurried_until: float | None = None
        self._state: LinkState = "connecting"
        self.detail = ""
        """What is wrong with it, empty where nothing is."""
        self.held = False
        """It failed last: the same rows wait for `retry_s`."""
        self.retry_s = 0.0
        """How long to wait before the next try."""

    @property
    def up(self) -> bool:
        return self._state == "up"

    @property
    def slice_rows(self) -> int:
        return self._store.slice_rows

    @property
    def at_peace(self) -> bool:
        """It failed a moment ago, or asked not to be asked yet."""
        return self.held and self._clock.monotonic() < self._not_before

    def most(self, *, fast: bool) -> int:
        """Rows that the next call may take: fewer after time-outs, a slice where there is no hurry."""
        return self._size if fast else min(self._size, self._store.slice_rows)

    def look(self) -> None:
        """See whether it is there, with nothing to write."""
        self._calm_down()
        try:
            self._store.open()
        except StoreError as error:
            self.failed(error)
        else:
            self._answered()

    def write(self, rows: Sequence[Row]) -> int | None:
        """As `Store.write`; whoever calls hands other errors than StoreRefusedRows to `failed`."""
        self._calm_down()
        try:
            inserted = self._store.write(rows)
        except StoreRefusedRows:
            self._answered()
            raise
        self._answered()
        self._size = min(self._store.batch_rows, self._size * 2)
        return inserted

    def write_candles(self, rows: Sequence[CandleRow]) -> int | None:
        """As `Store.write_candles`; whoever calls hands StoreUnavailable to `failed`."""
        self._calm_down()
        changed = self._store.write_candles(rows)
        self._answered()
        return changed

    def failed(self, error: StoreError) -> None:
        """Hold everything until `retry_s` is over; smaller calls after a time-out."""
        asked_s = None
        if isinstance(error, StoreUnavailable):
            asked_s = error.retry_after_s
            if error.timed_out:
                self._size = max(1, self._size // 2)
        self.held = True
        self.retry_s = asked_s if asked_s is not None else self._backoff.next_s()
        self._not_before = self._clock.monotonic() + (asked_s if asked_s is not None else PEACE_S)
        self._is("degraded", str(error))

    def hurry(self) -> None:
        """Somebody waits: short calls for the next `HURRY_S`."""
        self._hurried_until = self._clock.monotonic() + HURRY_S
        self._store.hurry(True)

    def _calm_down(self) -> None:
        if self._hurried_until is not None and self._clock.monotonic() >= self._hurried_until:
            self._hurried_until = None
            self._store.hurry(False)

    def say_again(self) -> None:
        """For those who have not heard it: they may have been restarted since."""
        self._tell(LinkChanged(owner="batch_writer", link="store", state=self._state, detail=self.detail))

    def close(self) -> None:
        self._store.close()

    def _answered(self) -> None:
        self.held = False
        self._backoff.reset()
        self._is("up", "")

    def _is(self, state: LinkState, detail: str) -> None:
        if (state, detail) == (self._state, self.detail):
            return
        self._state, self.detail = state, detail
        if state == "degraded":
            _log.warning("store_holds", reason=detail)
        self.say_again()
