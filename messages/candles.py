"""Candles as values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tickwire.messages.addressing import ReplyTo

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


@dataclass(frozen=True, slots=True, kw_only=True)
class CandlesRestored:
    """CacheManager's restorer thread → CacheManager: the last candles that the store has. Safe to lose."""

    asset: str
    timeframe: str
    candles: Sequence[Candle]
    """Closed, ascending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicksRestored:
    """CacheManager's restorer thread → CacheManager: stored ticks of a hole. Safe to lose: the hole stays."""

    asset: str
    from_us: int
    """From here to the last tick they are all that the store has."""
    found: Sequence[tuple[int, str]]
    """(µs UTC, price text), ascending, at least one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HolesRequested:
    """Gateway's server → CacheManager: where are an asset's ticks not known? Answered by HolesAnswered."""

    asset: str
    reply_to: ReplyTo


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """Where an asset's ticks are not known."""

    from_us: int
    """Stamp of the last tick known before, µs UTC."""
    until_us: int
    """Of the first one known after."""
    refilled: bool
    """The candles of a minute and longer are whole all the same: the broker told them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HolesAnswered:
    """CacheManager → asker: the holes that outages and restarts have left and no tick has closed."""

    asset: str
    known: bool
    """Whether it has candles of the asset at all."""
    holes: Sequence[Hole]
    """Ascending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoleFound:
    """CacheManager → the asset's TickIngestor: ask the venue for its candles of this time, if it can be asked.

    They come as BackfillReceived. Safe to lose: the hole stays.
    """

    asset: str
    from_us: int
    until_us: int
