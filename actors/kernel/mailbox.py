"""A child's mailbox. It belongs to the supervisor and outlives incarnations; one at a time, the *taker*, drains it.

Any thread puts; putting never blocks. The first message put into an empty mailbox wakes the taker, later ones ride
along: draining hands over everything in one call. After a crash the batch in flight lies at the head again and is
handed over one message at a time, so that a message that crashes its actor is found.
"""

import threading
from collections.abc import Callable, Sequence

import structlog

from tickwire.actors.kernel.behaviour import PutResult
from tickwire.actors.kernel.specs import MailboxSpec

_log = structlog.get_logger("tickwire.kernel")

Congestion = Callable[[str, bool], None]
Dropped = Callable[[str, str, Sequence[object]], None]
"""Told the recipient, the reason and the messages that nobody will take."""


def _nobody() -> None:
    """No taker to wake: the next one looks by itself."""


class Mailbox:
    def __init__(self, name: str, spec: MailboxSpec, *, now: Callable[[], float], dropped: Dropped) -> None:
        self.name = name
        self.congested = False
        """Above the high watermark, and since then not down at the low one."""
        self.more = False
        """The last drain left something behind: the taker comes again without a wake."""
        self._spec = spec
        self._weigh = spec.weigh
        self._capacity = spec.capacity
        self._high = spec.high
        self._now = now
        self._dropped = dropped
        self._lock = threading.Lock()
        self._closed = False
        self._urgent = threading.Event()
        self._control: list[object] = []
        self._data: list[object] = []
        self._weight = 0
        self._suspects = 0  # so many at the head of _data were in flight at a crash
        self._blamed: tuple[object, int] = (None, 0)  # the last message that crashed its actor alone, how often
        self._since: float | None = None  # when the taker last had nothing to take
        self._taker: object | None = None
        self._wake: Callable[[], None] = _nobody
        self._listeners: list[Congestion] = []

    # -- senders -------------------------------------------------------------------------------------------------

    def put(self, message: object, control: bool = False) -> PutResult:
        lost: Sequence[object] = ()
        crossed = False
        wake = None
        with self._lock:
            result = PutResult.DROPPED_CLOSED if self._closed else PutResult.ACCEPTED
            if self._closed:
                lost = (message,)
            elif control:
                self._control.append(message)
                wake = self._press()
            else:
                weight = 1 if self._weigh is None else self._weigh(message)
                if self._capacity is not None and self._weight + weight > self._capacity:
                    result, lost = self._overflow(message, self._capacity - weight)
                if result is PutResult.ACCEPTED:
                    self._data.append(message)
                    self._weight += weight
                    if self._high is not None and self._rises(self._high):
                        crossed = True
                        wake = self._press()
            if result is PutResult.ACCEPTED and self._since is None:
                self._since = self._now()
                wake = self._wake
        if wake is not None:
            wake()
        if crossed:
            self._tell_listeners(True)
        if lost:
            self._dropped(self.name, "closed" if result is PutResult.DROPPED_CLOSED else "full", lost)
        return result

    def watch(self, listener: Congestion) -> Callable[[], None]:
        """Call `listener` at each crossing, in the crossing thread; two may overlap: `congested` is the truth."""
        with self._lock:
            self._listeners.append(listener)

        def undo() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return undo

    def _rises(self, high: int) -> bool:
        """Under the lock: whether the high watermark is passed only now."""
        if self._weight <= high or self.congested:
            return False
        self.congested = True
        return True

    def _press(self) -> Callable[[], None] | None:
        """Under the lock: end a gathering, once until the next drain."""
        if self._urgent.is_set():
            return None
        self._urgent.set()
        return self._wake

    def _overflow(self, message: object, room: int) -> tuple[PutResult, Sequence[object]]:
        """Under the lock: what becomes of a message that is too much, and who is lost for it."""
        match self._spec.overflow:
            case "drop_oldest":
                leave = 0
                while self._weight > max(room, 0) and leave < len(self._data):
                    self._weight -= self._weight_of(self._data[leave])
                    leave += 1
                evicted, self._data[:leave] = self._data[:leave], []
                self._suspects = max(0, self._suspects - leave)
                return PutResult.ACCEPTED, evicted
            case overflow:
                if not self._data:
                    return PutResult.ACCEPTED, ()  # heavier than the capacity: alone it may pass
                return PutResult.DROPPED_FULL, (message,) if overflow == "drop_newest" else ()

    # -- the taker -----------------------------------------------------------------------------------------------

    def attach(self, taker: object, wake: Callable[[], None], *, unless: Callable[[], bool]) -> None:
        """From now on `taker` drains, unless it was given up; it looks once by itself and is woken afterwards."""
        with self._lock:
            if not self._closed and not unless():
                self._taker = taker
                self._wake = wake

    def detach(self, taker: object) -> None:
        """`taker` gets nothing any more."""
        with self._lock:
            if self._taker is taker:
                self._taker = None
                self._wake = _nobody

    def drain(self, taker: object) -> Sequence[object]:
        """Everything, control before data; after a crash one message. Nothing for one who is not the taker."""
        with self._lock:
            if self._taker is not taker:
                return ()
            if self._urgent.is_set():
                self._urgent.clear()
            if self._suspects:
                batch: list[object] = [self._take_one()]
            else:
                batch = self._data
                if self._control:
                    batch = self._control + batch
                    self._control = []
                self._data = []
                self._weight = 0
            self.more = bool(self._data or self._control)
            self._since = self._now() if self.more else None
            crossed = self.congested and self._weight <= (self._spec.low or 0)
            if crossed:
                self.congested = False
        if crossed:
            self._tell_listeners(False)
        return batch

    def give_back(self, taker: object, batch: Sequence[object], *, crashes_allowed: int | None) -> Sequence[object]:
        """Detach a taker that failed at `batch`: it lies at the head again. Returns the poison in it.

        A message that failed alone `crashes_allowed` times is poison; none of more than one is known to be. With None
        nobody is to blame, and the messages come again all at once.
        """
        with self._lock:
            if self._taker is not taker:
                return ()
            self._taker = None
            self._wake = _nobody
            if len(batch) == 1 and crashes_allowed is not None:
                before = self._blamed[1] if self._blamed[0] is batch[0] else 0
                self._blamed = (batch[0], before + 1)
                if before + 1 >= crashes_allowed:
                    self._blamed = (None, 0)
                    return batch
            self._data[:0] = batch
            if self._suspects or crashes_allowed is not None:
                self._suspects += len(batch)
            self._weight += sum(map(self._weight_of, batch))
            if batch and self._since is None:
                self._since = self._now()
            crossed = self._high is not None and self._rises(self._high)
        if crossed:
            self._tell_listeners(True)
        return ()

    def gather(self, seconds: float) -> None:
        """Let messages gather, for less if a control message comes or the high watermark is passed. Taker's thread."""
        self._urgent.wait(seconds)

    def hurry(self) -> None:
        """End a gathering."""
        self._urgent.set()

    @property
    def urgent(self) -> bool:
        return self._urgent.is_set()

    def _take_one(self) -> object:
        if self._control:
            return self._control.pop(0)
        self._suspects -= 1
        message = self._data.pop(0)
        self._weight -= self._weight_of(message)
        return message

    # -- the supervisor ------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Take messages, also where it was closed before."""
        with self._lock:
            self._closed = False

    def close(self) -> Sequence[object]:
        """Take no message any more; returns those left."""
        with self._lock:
            self._closed = True
            self._taker = None
            self._wake = _nobody
            left = self._control + self._data
            self._control, self._data = [], []
            self._weight = self._suspects = 0
            self._since = None
            crossed, self.congested = self.congested, False
        if crossed:
            self._tell_listeners(False)
        return left

    @property
    def depth(self) -> int:
        """Messages waiting."""
        return len(self._control) + len(self._data)

    @property
    def weight(self) -> int:
        """What waits, in the spec's units, without the control lane."""
        return self._weight

    @property
    def oldest_age_s(self) -> float:
        """For how long there has been something to take that nobody took."""
        since = self._since
        return 0.0 if since is None else max(0.0, self._now() - since)

    def _weight_of(self, message: object) -> int:
        return 1 if self._weigh is None else self._weigh(message)

    def _tell_listeners(self, congested: bool) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(self.name, congested)
            except Exception as error:  # the sender that crossed the watermark is not to blame
                _log.error("listener_failed", mailbox=self.name, exc_info=error)
