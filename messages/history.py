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
    older: bool = False
    """There may be more before these, in what was asked for: ask for those before the first one's timestamp."""
    stale: bool = False
    """It may lack what the store has: read at this moment, for whoever asks again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFailed:
    """CacheManager → asker: no answer to be had now, with the reason for a person to read."""

    asset: str
    timeframe: str
    """Empty where ticks were asked for."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTicksRequested:
    """Gateway's server → CacheManager: the last `limit` stored ticks. StoredTicksServed or HistoryFailed answers."""

    asset: str
    limit: int
    reply_to: ReplyTo
    from_us: int | None = None
    """Stamps from here on,"""
    until_us: int | None = None
    """and before this. None: no bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTicksServed:
    """CacheManager → asker: stored ticks, oldest first. Ticks of one stamp are never parted."""

    asset: str
    ticks: Sequence[tuple[int, str]]
    """Each its stamp in µs UTC and its price's text."""
    older: bool
    """There are more before these, in what was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryCountsRequested:
    """Gateway's server → CacheManager: how were questions answered so far? Answered by HistoryCounted."""

    reply_to: ReplyTo


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryCounted:
    """CacheManager → asker: since the relay started."""

    hits: int
    """Answered from memory, Redis or what a client offered."""
    misses: int
    """Answered from the store."""
    stale: int
    """Answered at once, with what the store had not yet confirmed."""
    waits: int
    """Answered by a read that somebody else had begun."""
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreQuestion:
    """CacheManager → its reader thread: the newest `limit` candles, or ticks where `timeframe` is None."""

    asset: str
    timeframe: str | None
    limit: int
    from_us: int | None = None
    until_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLoaded:
    """CacheManager's reader thread → CacheManager: the candles that the store has or that its ticks make."""

    question: StoreQuestion
    candles: Sequence[Candle]
    older: bool = False
    """There are more before these, in what was asked for."""
    error: str | None = None
    """Why nothing came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicksLoaded:
    """CacheManager's reader thread → CacheManager: ticks that the store has."""

    question: StoreQuestion
    rows: Sequence[tuple[int, str]]
    """Each its stamp in µs UTC and its price's text."""
    older: bool = False
    error: str | None = None
