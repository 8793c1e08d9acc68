"""Questions about the past and their answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tickwire.messages.addressing import ReplyTo
from tickwire.messages.candles import Candle


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRequested:
    """Gateway, CLI → CacheManager: the last `limit` candles. Answered by HistoryServed or HistoryFailed."""

    asset: str
    timeframe: str
    """Canonical spelling."""
    limit: int
    reply_to: ReplyTo
    from_ts: int | None = None
    """Opening seconds UTC of the candles: from here on,"""
    until_ts: int | None = None
    """and before this. None: no bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandlesOffered:
    """Gateway's server → CacheManager: candles that a client of QuFLX's caches here. Answered by CandlesTaken.

    They are answered where the relay has no candle of its own of that asset and timeframe, and nowhere else.
    """

    asset: str
    timeframe: str
    """Canonical spelling."""
    candles: Sequence[Candle]
    """Closed, ascending."""
    reply_to: ReplyTo


@dataclass(frozen=True, slots=True, kw_only=True)
class CandlesCleared:
    """Gateway's server → CacheManager: forget what clients offered of it. Answered by CandlesTaken."""

    asset: str
    timeframe: str
    reply_to: ReplyTo


@dataclass(frozen=True, slots=True, kw_only=True)
class CandlesTaken:
    """CacheManager → asker: so many offered candles are kept now, 0 where the relay has its own."""

    asset: str
    timeframe: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryServed:
    """CacheManager → asker: candles oldest first, the forming one (`is_closed` false) last if there is one."""

    asset: str
    timeframe: str
    candles: Sequence[Candle]
    source: Literal["memory", "redis", "store", "client"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFailed:
    """CacheManager → asker: no answer to be had now, with the reason for a person to read."""

    asset: str
    timeframe: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLoaded:
    """CacheManager's reader thread → CacheManager: what Redis or the store had, or why nothing came."""

    asset: str
    timeframe: str
    candles: Sequence[Candle]
    source: Literal["redis", "store"]
    limit: int
    """How many were asked for."""
    error: str | None = None
