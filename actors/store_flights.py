"""CacheManager's questions to the store that are under way: one read for all who ask for the same.

The reader is made for the first question after it ended, with a growing pause where it ends again and again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from tickwire.actors.ports import Clock, HistoryReader
from tickwire.messages.history import (
    HistoryLoaded,
    HistoryRequested,
    StoredTicksRequested,
    StoreQuestion,
    TicksLoaded,
)
from tickwire.messages.lifecycle import ReaderEnded

_log = structlog.get_logger("tickwire.cache_manager")

FLIGHT_S = 8.0
"""The store's time for one question."""
MOST_FLIGHTS = 64
MOST_OF_ASSET = 16
"""Of them: who pages through one asset in many ways leaves room for the others."""
MOST_WAITERS = 100
PAUSES_S = (0.5, 30.0)
"""Between a reader's end and the next reader: at first, at most."""
BUSY = "too many questions at once; ask again in a moment"

Asked = HistoryRequested | StoredTicksRequested
Key = tuple[str, str | None, int | None, int | None]


@dataclass(slots=True)
class Flight:
    question: StoreQuestion
    began: float
    waiters: list[Asked]
    larger: list[Asked] = field(default_factory=list)
    """They ask for more than this flight brings: looked at again when it has landed."""

    @property
    def all(self) -> list[Asked]:
        return [*self.waiters, *self.larger]


Failed = Callable[[Sequence[Asked], str, float], None]
"""Told who waits in vain, why, and since when."""


class StoreFlights:
    def __init__(
        self, reader: Callable[[int], HistoryReader], clock: Clock, *, incarnation: int, failed: Failed
    ) -> None:
        self._make_reader = reader
        self._clock = clock
        self._failed = failed
        self._reader: HistoryReader | None = None
        self._number = incarnation << 32
        """The reader's; no two of a relay's life share one, so an end told to an earlier incarnation is known."""
        self._ends = 0
        self._not_before = float("-inf")
        self._flights: dict[Key, Flight] = {}
        """The one that has waited the longest first."""

    def wait(self, asked: Asked, question: StoreQuestion, began: float) -> None:
        """Let `asked` wait for the answer; where it can't, it is told at once."""
        flight = self._flights.get(_key(question))
        if flight is None:
            refused = self._refused(question.asset, began)
            if refused is None:
                self._begin(question, began, [asked])
        elif len(flight.waiters) + len(flight.larger) >= MOST_WAITERS:
            refused = BUSY
        else:
            refused = None
            (flight.waiters if flight.question.limit >= asked.limit else flight.larger).append(asked)
        if refused is not None:
            self._failed([asked], refused, began)

    def refresh(self, question: StoreQuestion, began: float) -> None:
        """Read for nobody, unless it is under way or those who wait would miss the room."""
        room = len(self._flights) < MOST_FLIGHTS // 2
        if room and _key(question) not in self._flights and self._refused(question.asset, began) is None:
            self._begin(question, began, [])

    def landed(self, loaded: HistoryLoaded | TicksLoaded) -> Flight | None:
        """The flight that this answers; None where it is of a reader of before a crash: its own answer comes yet."""
        key = _key(loaded.question)
        flight = self._flights.get(key)
        if flight is None or loaded.question.limit < flight.question.limit:
            return None
        self._ends = 0
        return self._flights.pop(key)

    def ended(self, ended: ReaderEnded) -> None:
        """A reader that ended by itself: the next one waits a while, or a bug in it would be a busy loop."""
        if ended.incarnation != self._number or self._reader is None:
            return
        first, most = PAUSES_S
        pause = min(most, first * 2 ** min(self._ends, 16))
        self._ends += 1
        self._not_before = self._clock.monotonic() + pause
        self._reader = None
        _log.warning("reader_ended", reason=ended.reason, again_in_s=pause)
        self._fail_all(ended.reason)

    def due(self) -> float | None:
        """When the flight that has waited the longest is overdue."""
        return next((flight.began + FLIGHT_S for flight in self._flights.values()), None)

    def expire(self, now: float) -> None:
        """Give a reader up that has not answered in time."""
        due = self.due()
        if due is not None and now >= due:
            self._fail_all(f"the store has not answered within {FLIGHT_S:g} s")
            self._close_reader()

    def close(self) -> None:
        self._fail_all("this part of the relay ends; ask again")
        self._close_reader()

    def _refused(self, asset: str, now: float) -> str | None:
        of_asset = sum(1 for key in self._flights if key[0] == asset)
        if len(self._flights) >= MOST_FLIGHTS or of_asset >= MOST_OF_ASSET:
            return BUSY
        if self._reader is None and now < self._not_before:
            return f"the store's reader ended; it is made anew in {self._not_before - now:.1f} s"
        return None

    def _begin(self, question: StoreQuestion, began: float, waiters: list[Asked]) -> None:
        if self._reader is None:
            self._number += 1
            self._reader = self._make_reader(self._number)
        self._flights[_key(question)] = Flight(question, began, waiters)
        self._reader.read(question)

    def _fail_all(self, reason: str) -> None:
        flights, self._flights = self._flights, {}
        for flight in flights.values():
            self._failed(flight.all, reason, flight.began)

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def _key(question: StoreQuestion) -> Key:
    return question.asset, question.timeframe, question.from_us, question.until_us
