"""Candles as values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Quality = Literal["live", "backfilled", "partial", "gap"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """OHLCV of one bucket. `timestamp` is the bucket's opening second UTC; a bucket without a tick has no candle."""

    timestamp: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    is_closed: bool
    timeframe: str
    """Canonical spelling: 15s 1m 5m 15m 30m 1h 4h 1d."""
    ticks: int
    quality: Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleClosed:
    """CacheManager → Publisher, Gateway: a bucket is over. Safe to lose (history answers it again)."""

    asset: str
    candle: Candle


@dataclass(frozen=True, slots=True, kw_only=True)
class CandlesMade:
    """CacheManager → BufferKeeper: closed candles to be stored, new ones and those that are better known now.

    One that comes twice, or late, does no harm: the store keeps the better known. Losing it costs the stored candle,
    not the ticks that it was made of.
    """

    candles: Sequence[tuple[str, Candle]]
    """(asset, candle)."""
