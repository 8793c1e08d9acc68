"""A made-up market: the price of an asset at any moment, past or to come, from nothing but its name and a seed.

Noise at seven time scales, each as strong as a random walk would have moved in that time, looks like a walk and can
be asked for any moment without walking there. Ticks come at a jittered beat; their stamps are whole milliseconds,
ascending and unique.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from types import MappingProxyType

_MASK = 2**64 - 1
_PERIODS_MS = (400, 3_000, 20_000, 150_000, 1_200_000, 10_000_000, 90_000_000)
_VOLATILITY = 2e-5
"""Of the price, by the square root of a second."""
_JITTER = 0.8
_JITTER_FROM_MS = 5.0
"""Closer ticks are evenly spaced: jitter must not make two stamps equal."""
_CANDLE_SAMPLES = 120
_DOLLARS: Mapping[str, float] = MappingProxyType(
    {
        "USD": 1.0, "EUR": 1.0845, "GBP": 1.2710, "AUD": 0.6583, "NZD": 0.6021, "CAD": 1 / 1.3571, "CHF": 1 / 0.8954,
        "JPY": 1 / 149.35, "BTC": 43_250.0, "ETH": 2_280.0,
    }
)  # fmt: skip
"""What one of a currency costs: a pair is as dear as its two make it, so that crosses agree."""


@dataclass(frozen=True, slots=True)
class MadeCandle:
    open: float
    close: float
    high: float
    low: float


class Walk:
    """One asset's market. Times are milliseconds UTC; tick numbers count from 1970. Not thread-safe (it caches)."""

    def __init__(self, asset: str, *, seed: int, rate: float) -> None:
        """`rate` is ticks a second, at most 1000."""
        self._seed = int.from_bytes(blake2b(f"{seed}:{asset}".encode(), digest_size=8).digest(), "big")
        self._interval_ms = 1000.0 / rate
        self._base = _usual_price(asset) or 0.5 + (self._seed % 10_000) / 5_000
        self._digits = 3 if self._base > 20 else 5
        strengths = [_VOLATILITY * math.sqrt(period / 1000) for period in _PERIODS_MS]
        self._scales = [
            _Scale(self._seed + i, period, s) for i, (period, s) in enumerate(zip(_PERIODS_MS, strengths, strict=True))
        ]

    def stamp_ms(self, number: int) -> int:
        """When tick `number` happens."""
        place = float(number)
        if self._interval_ms >= _JITTER_FROM_MS:
            place += _noise(self._seed, number) * _JITTER / 2 + _JITTER / 2
        return int(place * self._interval_ms)

    def number_at(self, ms: int) -> int:
        """The first tick at or after `ms`."""
        number = max(0, int(ms / self._interval_ms) - 2)
        while self.stamp_ms(number) < ms:
            number += 1
        return number

    def price_at(self, ms: int) -> float:
        moved = 1.0
        for scale in self._scales:
            moved += scale.value(ms)
        return round(self._base * moved, self._digits)

    def candle(self, start_ms: int, end_ms: int) -> MadeCandle | None:
        """Of the ticks in `start_ms` ≤ stamp < `end_ms` (where there are very many, of every so manyth)."""
        first, last = self.number_at(start_ms), self.number_at(end_ms) - 1
        if last < first:
            return None
        numbers = [*range(first, last, max(1, (last - first) // _CANDLE_SAMPLES)), last]
        prices = [self.price_at(self.stamp_ms(number)) for number in numbers]
        return MadeCandle(prices[0], prices[-1], max(prices), min(prices))


class _Scale:
    """Noise that changes over `period_ms`: straight lines between random heights."""

    __slots__ = ("_cell", "_left", "_period", "_right", "_seed", "_strength")

    def __init__(self, seed: int, period_ms: int, strength: float) -> None:
        self._seed = seed
        self._period = period_ms
        self._strength = strength
        self._cell = -1
        self._left = self._right = 0.0

    def value(self, ms: int) -> float:
        cell, rest = divmod(ms, self._period)
        if cell != self._cell:
            self._cell = cell
            self._left = _noise(self._seed, cell) * self._strength
            self._right = _noise(self._seed, cell + 1) * self._strength
        return self._left + (self._right - self._left) * rest / self._period


def _usual_price(asset: str) -> float | None:
    """About what the pair costs; None of what is no pair of known currencies."""
    bought, sold = _DOLLARS.get(asset[:3]), _DOLLARS.get(asset[3:].removesuffix("_otc"))
    return bought / sold if bought and sold else None


def _noise(seed: int, place: int) -> float:
    """From -1 to 1, the same for the same place: splitmix64's finalizer."""
    x = (seed + place * 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return (x ^ (x >> 31)) / 2**63 - 1.0
