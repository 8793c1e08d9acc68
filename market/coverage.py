"""Over which spans of time an asset's ticks are known without a hole. Pure.

A span grows with the live ticks of one epoch and connection; history that the broker sends is a span of its own. Spans
that overlap are one: so history closes the hole that an outage left.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import inf
from operator import attrgetter
from typing import Literal

State = Literal["whole", "partial", "gap"]

US = 1_000_000
JOIN_US = 5_000_000
"""Silence for which even an asset that never pauses is no staleness: where the broker's history ends so shortly before
live ticks begin, nothing lacks between them. Two spans of live ticks are never joined so: ticks were missed there."""
DEAD_US = 60_000_000
"""So long may a connection be dead before that is noticed."""
SILENT_S = 60
"""An earlier run's candles that are no further apart had no hole between them: a bucket without a tick has none."""
MOST_SPANS = 64
"""An asset with more holes than this forgets the oldest."""


class _Span:
    """Ends included."""

    __slots__ = ("first_us", "from_live", "last_us", "to_past")

    def __init__(self, first_us: int, last_us: int, *, from_live: bool = False, to_past: bool = False) -> None:
        self.first_us = first_us
        self.last_us = last_us
        self.from_live = from_live
        """It begins where live ticks began."""
        self.to_past = to_past
        """It ends where the broker's history ended."""

    def goes_on_in(self, later: "_Span") -> bool:
        """Whether nothing lacks between this one and one that begins no earlier."""
        if later.first_us <= self.last_us:
            return True
        return self.to_past and later.from_live and later.first_us - self.last_us <= JOIN_US

    def take(self, later: "_Span") -> None:
        if later.last_us == self.last_us:
            self.to_past = self.to_past or later.to_past
        elif later.last_us > self.last_us:
            self.last_us, self.to_past = later.last_us, later.to_past


class Coverage:
    def __init__(self) -> None:
        self._spans: list[_Span] = []
        """Ascending, apart from each other."""
        self._live: _Span | None = None
        self._reached_us = -1
        """Where live ticks have reached."""
        self._silent_us = 0
        """Until here no tick came, and none was missed as far as is known."""
        self.holes_made = 0
        """It grows whenever there may be one more."""

    def begin(self, us: int) -> None:
        """Live ticks begin, or begin anew after a doubt. What history has up to here joins on.

        What was live before does not, be the stamp the same or an earlier one: of one second ticks may lack as well.
        """
        self.end()
        us = max(us, self._reached_us + 1)
        self._live = next((span for span in self._spans if span.first_us <= us <= span.last_us), None)
        if self._live is None:
            self._live = _Span(us, us, from_live=True)
            self._spans.append(self._live)
            self._tidy()
            self.holes_made += self._live.first_us == us and len(self._spans) > 1

    def extend(self, us: int) -> None:
        """Live ticks reach until here."""
        live = self._live
        if live is None or us <= self._reached_us:
            return
        self._reached_us = us
        if us < live.last_us:
            return
        live.last_us, live.to_past = us, False
        if live is not self._spans[-1]:
            self._tidy()

    def silent(self, us: int) -> None:
        """So is silence until here, as long as nobody doubts it."""
        self._silent_us = us

    @property
    def sure_us(self) -> float:
        """Up to where no doubt takes back what was taken for silence: one comes before `DEAD_US` are over."""
        live, silent_us = self._live, self._silent_us
        return inf if live is None or silent_us <= live.last_us else max(live.last_us, silent_us - DEAD_US)

    def end(self) -> int | None:
        """Live ticks may be missing from the last one on. Its stamp, if silence has covered what came after it."""
        live, silent_us = self._live, self._silent_us
        self._live, self._silent_us = None, 0
        return live.last_us if live is not None and silent_us > live.last_us else None

    def past(self, first_us: int, last_us: int) -> None:
        """History covers this span, ends included."""
        self._spans.append(_Span(first_us, last_us, to_past=True))
        self._tidy()

    def stored(self, from_us: int, ts_us: Sequence[int]) -> None:
        """All stored ticks from `from_us` to the last one, ascending, at least one, which an earlier run had seen live.

        What they cover ends where they pause: nobody knows whether it was the market that paused.
        """
        first = last = from_us
        for us in ts_us:
            if us > last + JOIN_US:
                self._known(first, last)
                first = us
            last = us
        self._known(first, last)
        self._tidy()

    def remembered(self, buckets: Sequence[tuple[int, bool]], length_s: int) -> None:
        """An earlier run had these (opening second, whether it knew it whole), ascending."""
        first = last = None
        for start, whole in buckets:
            if first is not None and last is not None and not (whole and start - last <= SILENT_S):
                self._known(first * US, last * US)
                first = None
            if whole:
                first, last = start if first is None else first, start + length_s
        if first is not None and last is not None:
            self._known(first * US, last * US)
        self._tidy()

    def _known(self, first_us: int, last_us: int) -> None:
        """Joins what it touches, and nothing else: shortly behind it may be what a restart has missed."""
        if last_us > first_us:
            self._spans.append(_Span(first_us, last_us))
            self.holes_made += 1

    @property
    def holes(self) -> Sequence[tuple[int, int]]:
        """What lies between what is known: (last µs before, first µs after), ascending."""
        return [(last, first) for (_, last), (first, _) in pairwise(self._known_to()) if last < first]

    def state(self, from_us: int, to_us: int) -> State:
        """How [from_us, to_us) is known: whole, after a hole (gap), or not to its ends (partial)."""
        spans = self._known_to()
        if any(first <= from_us and last >= to_us for first, last in reversed(spans)):
            return "whole"
        earlier = False
        for first, _ in spans:
            if earlier and from_us < first < to_us:
                return "gap"
            earlier = earlier or first < to_us
        return "partial"

    def _known_to(self) -> list[tuple[int, int]]:
        """The spans, and the silence after the live one."""
        live = self._live
        return [(s.first_us, max(s.last_us, self._silent_us) if s is live else s.last_us) for s in self._spans]

    def _tidy(self) -> None:
        self._spans.sort(key=attrgetter("first_us", "last_us"))
        merged = self._spans[:1]
        for span in self._spans[1:]:
            if merged[-1].goes_on_in(span):
                merged[-1].take(span)
                if span is self._live:
                    self._live = merged[-1]
            else:
                merged.append(span)
        self._spans = merged[-MOST_SPANS:]
