"""Messages that nobody took: a ring of the latest, counts of all, few log lines."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from tickwire.actors.kernel.behaviour import Timer

_log = structlog.get_logger("tickwire.kernel")

RING = 1000
LINES = 10
"""Logged one by one; from then on a summary each `SUMMARY_S`, until none came for so long."""
SUMMARY_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    recipient: str
    reason: str
    """closed, full, stopped, poison, hung, fenced."""
    kind: str
    """The message's class."""
    weight: int
    at: float
    """Monotonic seconds."""


class Clockwork(Protocol):
    """Time, as much as is needed here."""

    def monotonic(self) -> float: ...

    def after(self, delay_s: float, act: Callable[[], None], /) -> Timer: ...


Heard = Callable[[str, str, Sequence[object]], object]
"""Told the recipient, the reason and the messages."""


class DeadLetters:
    """Any thread records."""

    def __init__(
        self,
        clockwork: Clockwork,
        weigh: Callable[[str, object], int],
        lost: Callable[[object], object],
        quiet: Callable[[], bool] = lambda: False,
        heard: Heard | None = None,
    ) -> None:
        """`weigh(recipient, message)` in the recipient's units; `lost` is told each message (an ask may wait for it);
        `heard` is told all of it, for the host; `quiet` says that all is being stopped, where letters are to be
        expected: counted, not logged one by one."""
        self._clockwork = clockwork
        self._weigh = weigh
        self._lost = lost
        self._quiet = quiet
        self._heard = heard
        self._lock = threading.Lock()
        self._ring: deque[DeadLetter] = deque(maxlen=RING)
        self._count = 0
        self._weights: Counter[tuple[str, str]] = Counter()
        self._lines = 0
        self._unlogged: Counter[tuple[str, str]] = Counter()
        self._summary: Timer | None = None

    @property
    def count(self) -> int:
        """All, ever."""
        return self._count

    def recent(self) -> list[DeadLetter]:
        """The latest, oldest first."""
        with self._lock:
            return list(self._ring)

    def weights(self) -> Mapping[tuple[str, str], int]:
        """(recipient, reason) → weight of all, ever."""
        with self._lock:
            return dict(self._weights)

    def record(self, recipient: str, reason: str, messages: Sequence[object]) -> None:
        now = self._clockwork.monotonic()
        letters = [
            DeadLetter(
                recipient=recipient,
                reason=reason,
                kind=type(message).__name__,
                weight=self._weigh(recipient, message),
                at=now,
            )
            for message in messages
        ]
        with self._lock:
            self._ring.extend(letters)
            self._count += len(letters)
            self._weights[recipient, reason] += sum(letter.weight for letter in letters)
            lines = self._choose(letters)
        for letter in lines:
            _log.warning("dead_letter", recipient=letter.recipient, reason=letter.reason, kind=letter.kind)
        for message in messages:
            self._lost(message)
        if self._heard is not None:
            self._heard(recipient, reason, messages)

    def summarize(self) -> None:
        """Log the sum of those that had no line of their own."""
        with self._lock:
            unlogged, self._unlogged = self._unlogged, Counter()
        if unlogged:
            counts = {f"{recipient}: {reason}": count for (recipient, reason), count in unlogged.items()}
            log = _log.info if self._quiet() else _log.warning
            log("dead_letters", more=unlogged.total(), count=self._count, recipients=counts)

    def _choose(self, letters: Sequence[DeadLetter]) -> Sequence[DeadLetter]:
        """Under the lock: those to be logged now; the others wait for the summary."""
        room = 0 if self._quiet() else max(0, LINES - self._lines)
        self._lines += min(room, len(letters))
        self._unlogged.update((letter.recipient, letter.reason) for letter in letters[room:])
        if self._summary is None:
            self._summary = self._clockwork.after(SUMMARY_S, self._on_time)
        return letters[:room]

    def _on_time(self) -> None:
        with self._lock:
            silent = not self._unlogged
            self._summary = None if silent else self._clockwork.after(SUMMARY_S, self._on_time)
            if silent:
                self._lines = 0
        self.summarize()
