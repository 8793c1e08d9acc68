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


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryServed:
    """CacheManager → asker: candles oldest first, the forming one (`is_closed` false) last if there is one."""

    asset: str
    timeframe: str
    candles: Sequence[Candle]
    source: Literal["memory", "redis", "store"]


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
