"""What metrics are made of: one message a batch, never one a tick. All safe to lose."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tickwire.messages.lifecycle import AssetsAnnounced, FeedChanged, LinkChanged
from tickwire.messages.ticks import Count, TicksAccepted


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedMeasured:
    """TickIngestor → MetricsCollector, at most once a second: growth since the last one, and present gauges."""

    feed: str
    frames: int
    ticks: int
    counts: Sequence[Count]
    ignored_events: int
    reconnects: int
    offset_us: int
    """Estimate of the source clock, ahead of UTC."""
    paused: bool
    """Not reading: a receiver is over its high watermark."""
    lateness_us: int = 0
    """Largest since the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicksPublished:
    """Publisher → MetricsCollector."""

    published: int
    unpublished: int
    """Given up because Redis was not up."""
    seconds: float
    """The round trip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolMeasured:
    """BufferKeeper → MetricsCollector, BatchWriter: present gauges of the durable path."""

    spool_rows: int
    spool_bytes: int
    lost: int
    """Ticks of this run that the spool did not take for so long that they were let go."""
    window_entries: int
    """Outbox entries forwarded and not yet acknowledged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStored:
    """BatchWriter → MetricsCollector, Gateway: rows confirmed present in the store."""

    rows: int
    inserted: int | None
    """New ones, where the store tells."""
    seconds: float
    pending: int
    """Ticks still waiting, as far as known."""
    assets: frozenset[str] = frozenset()
    """Whose ticks they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogMeasured:
    """BatchWriter → MetricsCollector, Gateway, once a second: what is accepted and not yet stored."""

    rows: int
    """About: entries of the spool times the rows that the latest ones hold."""
    catching_up: bool
    """What piled up while the store or Redis was away, or before the start, is being worked off."""
    rate: float
    """Rows stored a second, over the last ten seconds."""
    eta_s: float | None
    """Until it has caught up, at the present speed; None where that is not in sight, or nothing is caught up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsQuarantined:
    """BatchWriter → MetricsCollector: rows the store refused."""

    rows: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CandlesStored:
    """BatchWriter → MetricsCollector: candles that the store has now, and those that it does not take."""

    rows: int
    changed: int | None
    """New or better known ones, where the store tells."""
    refused: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryMeasured:
    """CacheManager → MetricsCollector: one answer, where it came from and how long it took."""

    outcome: Literal["memory", "redis", "store", "client", "stale", "failed"]
    seconds: float
    waiters: int
    """How many questions this one flight answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicksLeftOut:
    """CacheManager → MetricsCollector, at most once a second: stored ticks that no candle shows, since the last one."""

    late: int
    """Over 10 s behind their asset's clock, and their candle closed."""
    ahead: int
    """Over a minute ahead of it, and it went on without them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientsMeasured:
    """Gateway → MetricsCollector, at most once a second: how many now, and growth since the last one."""

    clients: int
    frames_sent: int
    ticks_conflated: int
    refused: int


Telemetry = (
    FeedMeasured
    | TicksPublished
    | TicksAccepted
    | SpoolMeasured
    | BatchStored
    | BacklogMeasured
    | RowsQuarantined
    | CandlesStored
    | HistoryMeasured
    | TicksLeftOut
    | ClientsMeasured
    | FeedChanged
    | LinkChanged
    | AssetsAnnounced
)
"""All that MetricsCollector receives."""
