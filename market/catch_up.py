"""What waits for the store, and how long it takes to work off what piled up while the store took nothing. Pure."""

from collections import deque
from dataclasses import dataclass

SAMPLES = 11
"""Kept of the past, one a measurement: rates are over ten of these."""
REMEMBERED_ENTRIES = 200
"""So many entries, about, decide how many rows an entry is taken to hold: few, since those of a broker's history
at the start hold hundreds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """`rows` are an estimate: the spool counts entries, and how many rows each holds is known of the latest ones."""

    rows: int
    catching_up: bool
    rate: float
    """Rows stored a second, lately."""
    eta_s: float | None
    """Until it has caught up at the speed at which `rows` shrinks; None where it doesn't, or nothing is caught up."""


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    stored: int
    waiting: int


class CatchUp:
    """Catching up begins with the first rows stored after a trouble (or a start) with more than `few` waiting."""

    def __init__(self, *, few: int) -> None:
        self._few = few
        self._troubled = True
        self._stored = self._stored_in_trouble = 0
        self._entries = self._rows = 0.0
        self._samples: deque[_Sample] = deque(maxlen=SAMPLES)
        self.catching_up = False

    def seen(self, *, entries: int, rows: int) -> None:
        """Entries of the spool and how many rows they hold."""
        self._entries += entries
        self._rows += rows
        if self._entries > REMEMBERED_ENTRIES:
            self._entries /= 2
            self._rows /= 2

    def stored(self, rows: int) -> None:
        self._stored += rows

    def troubled(self) -> None:
        """Nothing can be stored now."""
        self._troubled, self.catching_up = True, False
        self._stored_in_trouble = self._stored

    @property
    def is_troubled(self) -> bool:
        """Whether nothing was stored since the last trouble."""
        return self._troubled

    def measure(self, now: float, entries: int) -> Waiting:
        """With so many entries in the spool; about once a second."""
        waiting = round(entries * (self._rows / self._entries if self._entries else 1.0))
        over = self._troubled and self._stored > self._stored_in_trouble
        self._troubled = self._troubled and not over
        self.catching_up = waiting > self._few and (over or self.catching_up)
        while over and len(self._samples) > 1:  # rates of the outage say nothing about what comes
            self._samples.popleft()
        self._samples.append(_Sample(now, self._stored, waiting))
        return self._waiting(self._samples[0], self._samples[-1])

    def _waiting(self, first: _Sample, last: _Sample) -> Waiting:
        seconds = last.at - first.at
        rate = (last.stored - first.stored) / seconds if seconds > 0 else 0.0
        shrunk = first.waiting - last.waiting
        eta_s = seconds * last.waiting / shrunk if self.catching_up and shrunk > 0 else None
        return Waiting(rows=last.waiting, catching_up=self.catching_up, rate=rate, eta_s=eta_s)
