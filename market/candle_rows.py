"""A candle as the store keeps it, and which of two states of one candle is the better known. Pure.

States of a candle reach the store in any order and more than once. `worth` orders them all, so that whatever came last
the best one stays: a whole one before one with a hole, then more ticks, then the better quality, then the wider.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tickwire.market.bars import WORST_FIRST
from tickwire.messages.candles import Candle

Key = tuple[str, str, int]
"""Asset, timeframe, opening second."""


@dataclass(frozen=True, slots=True)
class CandleRow:
    """One row of `candles`: closed, its asset in the broker's spelling."""

    asset: str
    candle: Candle

    @property
    def key(self) -> Key:
        return self.asset, self.candle.timeframe, self.candle.timestamp


def worth(candle: Candle) -> tuple[bool, int, int, float, float, float, float]:
    """Greater is better known; equal only where all that is stored is equal, but for the volume.

    The stores have the same rule in SQL (`sqlite_candles.sql`, `migrations/005_candles.sql`).
    """
    quality = WORST_FIRST.index(candle.quality)
    whole = candle.quality in ("live", "backfilled")
    return whole, candle.ticks, quality, candle.high, -candle.low, candle.close, candle.open


def keep(kept: dict[Key, CandleRow], rows: Iterable[CandleRow]) -> None:
    """Take rows in, of each candle its best known state; one that is there already keeps its place."""
    for row in rows:
        known = kept.get(row.key)
        if known is None or worth(row.candle) > worth(known.candle):
            kept[row.key] = row


def best(rows: Iterable[CandleRow]) -> list[CandleRow]:
    """Of each candle its best known state."""
    kept: dict[Key, CandleRow] = {}
    keep(kept, rows)
    return list(kept.values())
