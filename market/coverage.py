"""Over which spans of time an asset's ticks are known without a hole. Pure.

A span grows with the live ticks of one epoch; history that the broker sends is a span of its own. Spans that overlap
are one: so history closes the hole that an outage left.
"""

from collections.abc import Sequence
from typing import Literal

State = Literal["whole", "partial", "gap"]

US = 1_000_000
JOIN_US = 5_000_000
"""Silence for which even an asset that never pauses is no staleness: history that ends so shortly before live ticks
begin (or the other way round) leaves no hole."""
SILENT_S = 60
"""An earlier run's candles that are no further apart had no hole between them: a bucket without a tick has none."""
MOST_SPANS = 64
"""An asset with more holes than this forgets the oldest."""


class Coverage:
    def __init__(self) -> None:
        self._spans: list[list[int]] = []
        """[first µs, last µs], ascending, apart from each other."""
        self._live: list[int] | None = None
        self.holes_made = 0
        """It grows whenever there may be one more."""

    def begin(self, us: int) -> None:
        """Live ticks begin, or begin anew after a doubt. What history has up to here joins on."""
        self._live = None
        for span in self._spans:
            if span[0] <= us <= span[1]:
                self._live = span
                return
        self.holes_made += bool(self._spans)
        self._live = [us, us]
        self._spans.append(self._live)
        self._tidy()

    def extend(self, us: int) -> None:
        """Live ticks (or live silence) reach until here."""
        live = self._live
        if live is None or us <= live[1]:
            return
        live[1] = us
        if live is not self._spans[-1]:
            self._tidy()

    def past(self, first_us: int, last_us: int) -> None:
        """History covers this span, ends included."""
        near = [s for s in self._spans if s[0] <= last_us + JOIN_US and s[1] >= first_us - JOIN_US]
        if not near:
            self._spans.append([first_us, last_us])
        else:
            keep = next((span for span in near if span is self._live), near[0])
            keep[0] = min(first_us, *(span[0] for span in near), first_us)
            keep[1] = max(last_us, *(span[1] for span in near), last_us)
            self._spans = [span for span in self._spans if span is keep or all(span is not each for each in near)]
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
            self._spans.append([first_us, last_us])
            self.holes_made += 1

    @property
    def holes(self) -> Sequence[tuple[int, int]]:
        """What lies between what is known: (last µs before, first µs after), ascending."""
        return [(self._spans[i - 1][1], self._spans[i][0]) for i in range(1, len(self._spans))]

    def state(self, from_us: int, to_us: int) -> State:
        """How [from_us, to_us) is known: whole, after a hole (gap), or not to its ends (partial)."""
        earlier = False
        for first, last in reversed(self._spans):
            if first <= from_us and last >= to_us:
                return "whole"
        for first, _ in self._spans:
            if earlier and first > from_us and first < to_us:
                return "gap"
            earlier = earlier or first < to_us
        return "partial"

    @property
    def spans(self) -> Sequence[tuple[int, int]]:
        return [(first, last) for first, last in self._spans]

    def _tidy(self) -> None:
        self._spans.sort()
        merged: list[list[int]] = []
        for span in self._spans:
            if merged and span[0] <= merged[-1][1]:
                into = merged[-1]
                if span is self._live:
                    span[0], span[1] = into[0], max(into[1], span[1])
                    merged[-1] = span
                else:
                    into[1] = max(into[1], span[1])
            else:
                merged.append(span)
        self._spans = merged[-MOST_SPANS:]
