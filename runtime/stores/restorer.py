"""CacheManager's restorer: a thread with a read connection of its own that fetches what an earlier run has stored.

Nobody waits for its answers, so it leaves the store and the hot path time between its calls, and waits while the store
is away.
"""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence

import structlog

from tickwire.actors.ports import Store, StoreError, StoreMisconfigured
from tickwire.messages.candles import CandlesRestored, TicksRestored

_log = structlog.get_logger("tickwire.restorer")

MOST_ASKED = 20_000
MOST_TICKS = 20_000
"""Of one hole, the newest."""
CHUNK_TICKS = 1000
PAUSE_S = 0.01
"""Between calls: the turn of the hot path and of who waits for an answer."""
RETRY_S = 5.0
RETRIES = 60
EVER_S = 2**40

Answer = CandlesRestored | TicksRestored
Work = Callable[[Store], Iterator[Answer]]


class StoreRestorer:
    """`CandleSource` on any store. `tell` takes messages in the thread, which runs from the first question on.

    One that has ended by an error of its own is made anew for the next question.
    """

    def __init__(self, make_store: Callable[[], Store], tell: Callable[[Answer], object]) -> None:
        self._make_store = make_store
        self._tell = tell
        self._asked: queue.Queue[Work | None] = queue.Queue(MOST_ASKED)
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def candles(self, asset: str, timeframe: str, limit: int) -> None:
        def read(store: Store) -> Iterator[Answer]:
            found = store.candles(asset, timeframe, 0, EVER_S, limit)
            if found:
                yield CandlesRestored(asset=asset, timeframe=timeframe, candles=found)

        self._ask(read)

    def ticks(self, asset: str, from_us: int, until_us: int) -> None:
        def read(store: Store) -> Iterator[Answer]:
            found = store.ticks(asset, from_us, until_us, MOST_TICKS)
            begin = from_us if len(found) < MOST_TICKS else found[0][0]
            for chunk in _chunks(found):
                yield TicksRestored(asset=asset, from_us=begin, found=chunk)
                begin = chunk[-1][0]

        self._ask(read)

    def close(self) -> None:
        self._closed.set()
        try:
            self._asked.put_nowait(None)
        except queue.Full:
            return  # it looks at the event before each question

    def _ask(self, work: Work) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="tickwire-restorer", daemon=True)
            self._thread.start()
        try:
            self._asked.put_nowait(work)
        except queue.Full:
            _log.warning("not_restored", reason="too much is asked for at once")

    # -- its thread

    def _run(self) -> None:
        store: Store | None = None
        try:
            while (work := self._asked.get()) is not None and not self._closed.is_set():
                store = store or self._make_store()
                self._answer(store, work)
                self._closed.wait(PAUSE_S)
        finally:
            if store is not None:
                store.close()

    def _answer(self, store: Store, work: Work) -> None:
        for _ in range(RETRIES):
            try:
                for answer in work(store):
                    if self._closed.is_set():
                        return
                    self._tell(answer)
                    self._closed.wait(PAUSE_S)
            except StoreMisconfigured as error:
                _log.info("not_restored", reason=str(error))
            except StoreError:
                if not self._closed.wait(RETRY_S):
                    continue
            return


def _chunks(ticks: Sequence[tuple[int, str]]) -> Iterator[Sequence[tuple[int, str]]]:
    """A thousand or so at a time; those of one stamp stay together."""
    begin = 0
    while begin < len(ticks):
        end = min(begin + CHUNK_TICKS, len(ticks))
        while end < len(ticks) and ticks[end][0] == ticks[end - 1][0]:
            end += 1
        yield ticks[begin:end]
        begin = end
