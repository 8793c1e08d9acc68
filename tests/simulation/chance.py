"""Where a seed decides: which faults its run may have, how often, and at which call each strikes."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

T = TypeVar("T")

LAST_EVENTS = 40


class Crashed(Exception):
    """Injected into an actor: a bug, as its kernel sees it."""


class ProcessKilled(BaseException):
    """Injected: SIGKILL. Everything volatile is gone; nothing may catch it and go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Chances of one seed's run: of each call (crash, kill, calls) and of each turn (the rest). 0: never."""

    crash: float = 0.0
    kill: float = 0.0
    redis_call: float = 0.0
    """A round trip is cut before, in the middle of or after its commands."""
    redis_event: float = 0.0
    """The server goes away, freezes, refuses, loses its data or parts of it."""
    store_call: float = 0.0
    store_event: float = 0.0
    disk: float = 0.0
    feed: float = 0.0
    stop: float = 0.0
    """A clean stop and a start."""


class Chance:
    """All randomness of a run, and the record of what it led to."""

    def __init__(self, seed: int, rates: Rates | None = None) -> None:
        self.random = Random(seed)
        self.rates = rates or self._rates()
        self.faults: Counter[str] = Counter()
        self.events: deque[str] = deque(maxlen=LAST_EVENTS)
        self.calm = False
        """No more faults: the drain at the end."""

    def _rates(self) -> Rates:
        """A seed has some kinds of faults and not others: each alone shows more than all at once."""
        pick = self.random.random
        return Rates(
            crash=0.015 if pick() < 0.5 else 0.0,
            kill=0.002 if pick() < 0.4 else 0.0,
            redis_call=0.03 if pick() < 0.5 else 0.0,
            redis_event=0.02 if pick() < 0.6 else 0.0,
            store_call=0.08 if pick() < 0.5 else 0.0,
            store_event=0.006 if pick() < 0.3 else 0.0,
            disk=0.005 if pick() < 0.25 else 0.0,
            feed=0.03 if pick() < 0.6 else 0.0,
            stop=0.012 if pick() < 0.4 else 0.0,
        )

    def strikes(self, rate: float) -> bool:
        return not self.calm and rate > 0.0 and self.random.random() < rate

    def choose(self, options: Sequence[T]) -> T:
        return options[int(self.random.random() * len(options))]

    def fault(self, kind: str, detail: str = "") -> None:
        """Note that a fault struck."""
        self.faults[kind] += 1
        self.note(f"FAULT {kind} {detail}".rstrip())

    def note(self, event: str) -> None:
        self.events.append(event)
