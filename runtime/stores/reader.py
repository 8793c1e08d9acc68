"""CacheManager's reader: a thread with a read connection of its own to the store.

Each question ends in one HistoryLoaded or TicksLoaded; the thread's own end, whatever its cause, in one ReaderEnded.
Questions take turns, a slice each: one about a month holds up nobody who wants the last ten minutes.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable

from tickwire.actors.ports import Clock, Store, StoreError
from tickwire.messages.history import HistoryLoaded, StoreQuestion, TicksLoaded
from tickwire.messages.lifecycle import ReaderEnded
from tickwire.runtime.stores.reading import US, Walk, walk

PAUSE_S = 0.002
"""Between slices: the hot path's turn."""
CALL_QUEUE = 64


class StoreReader:
    """`HistoryReader` on any store. `tell` takes messages in the reader's thread."""

    def __init__(
        self, make_store: Callable[[], Store], tell: Callable[[object], object], clock: Clock, incarnation: int
    ) -> None:
        self._make_store = make_store
        self._tell = tell
        self._clock = clock
        self._incarnation = incarnation
        self._questions: queue.Queue[StoreQuestion | None] = queue.Queue(CALL_QUEUE + 1)
        self._walks: deque[tuple[StoreQuestion, Walk]] = deque()
        self._store: Store | None = None
        self._opened = False
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"tickwire-reader-{incarnation}", daemon=True)
        self._thread.start()

    def read(self, question: StoreQuestion) -> None:
        try:
            self._questions.put_nowait(question)
        except queue.Full:
            self._tell(_failed(question, "the reader has too many questions"))

    def close(self) -> None:
        self._closed.set()
        try:
            self._questions.put_nowait(None)
        except queue.Full:
            return  # it looks at the event before each question

    # -- the reader's thread

    def _run(self) -> None:
        reason = "an error of its own"
        try:
            while self._take_questions():
                question, steps = self._walks.popleft()
                answer = self._step(question, steps)
                if answer is None:
                    self._walks.append((question, steps))
                    self._closed.wait(PAUSE_S)
                elif not self._closed.is_set():
                    self._tell(answer)
            reason = "closed"
        finally:
            if self._store is not None:
                self._store.close()
            if not self._closed.is_set():
                self._tell(ReaderEnded(reader="store", reason=reason, incarnation=self._incarnation))

    def _take_questions(self) -> bool:
        """Those that came meanwhile, or with nothing to do the next one; False at the end."""
        while not self._closed.is_set():
            try:
                question = self._questions.get(block=not self._walks)
            except queue.Empty:
                return True
            if question is None:
                return False
            self._walks.append((question, self._walk(question)))
        return False

    def _step(self, question: StoreQuestion, steps: Walk) -> HistoryLoaded | TicksLoaded | None:
        try:
            next(steps)
        except StopIteration as done:
            answer: HistoryLoaded | TicksLoaded = done.value
            return answer
        except StoreError as error:
            return _failed(question, str(error))
        return None

    def _walk(self, question: StoreQuestion) -> Walk:
        self._store = self._store or self._make_store()
        if not self._opened:
            self._store.open()
            self._opened = True
        return (yield from walk(self._store, question, self._clock.now_us() // US, self._clock.monotonic))


def _failed(question: StoreQuestion, error: str) -> HistoryLoaded | TicksLoaded:
    if question.timeframe is None:
        return TicksLoaded(question=question, rows=(), error=error)
    return HistoryLoaded(question=question, candles=(), error=error)
