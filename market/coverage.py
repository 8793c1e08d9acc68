"""Over which spans of time an asset's ticks are known without a hole. Pure.

A span grows with the live ticks of one epoch; history that the broker sends is a span of its own. Spans that overlap
are one: so history closes the hole that an outage left.
"""

from collections.abc import Sequence
from typing import Literal

State = Literal["whole", "partial", "gap"]

JOIN_US = 5_000_000
"""Silence for which even an asset that never pauses is no staleness: history that ends so shortly before live ticks
begin (or the other way round) leaves no hole."""
MOST_SPANS = 64
"""An asset with more holes than this forgets the oldest."""


class Coverage:
    def __init__(self) -> None:
        self._spans: list[list[int]] = []
        """[first µs, last µs], ascending, apart from each other."""
        self._live: list[int] | None = None

    def begin(self, us: int) -> None:
        """Live ticks begin, or begin anew after a doubt. What history has up to here joins on."""
        self._live = None
        for span in self._spans:
            if span[0] <= us <= span[1]:
                self._live = span
                return
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
