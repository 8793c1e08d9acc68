"""Commands, states and ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tickwire.messages.addressing import ReplyTo

FeedState = Literal["connecting", "live", "stale", "down", "ended"]
LinkState = Literal["connecting", "up", "degraded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """Gateway, CLI, host → TickIngestor: ask the broker for an asset's ticks."""

    asset: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribe:
    """Gateway, CLI, host → TickIngestor: stop asking for it."""

    asset: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TicksPushed:
    """Host → TickIngestor of the `push:` feed: rows of (asset, seconds UTC, price) from a source of the host's own."""

    rows: Sequence[tuple[str, float, float | str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderEnded:
    """A reader thread → its actor: it reads no more, and why. Never silence."""

    reader: str
    reason: str
    incarnation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedChanged:
    """TickIngestor → BufferKeeper, Publisher, CacheManager, Gateway, MetricsCollector: the feed's state."""

    feed: str
    state: FeedState
    detail: str = ""
    stale_assets: Sequence[str] = ()
    gone: bool = False
    """Down for a minute: it has given up its assets, which another feed may have now, and will ask for each anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetsAnnounced:
    """TickIngestor → Gateway, MetricsCollector: assets the broker listed (they may be subscribed to)."""

    feed: str
    assets: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetSelected:
    """TickIngestor → Gateway: the asset that the trader's own page shows now, where a feed can see it.

    None: no page shows one any more. Safe to lose: the next choice is told anew.
    """

    feed: str
    asset: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicksDoubted:
    """TickIngestor → CacheManager: ticks of these may be missing from the last one on, until an epoch begins.

    Safe to lose: the new epoch says it, too, once there is a tick.
    """

    assets: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkChanged:
    """An actor's connection → that actor, which passes it on to Gateway and MetricsCollector.

    `detail` names the fault in the field's words: `down`, `timeout`, `loading`, `read-only`, `out of memory`, …
    """

    owner: str
    link: Literal["redis", "store"]
    state: LinkState
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushRequested:
    """CLI, tests, the drain → BatchWriter: store all that is pending, now. Answered by Flushed."""

    reply_to: ReplyTo


@dataclass(frozen=True, slots=True, kw_only=True)
class Flushed:
    """BatchWriter → asker: nothing is pending, or `error` says why some still is."""

    rows: int
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxLost:
    """BatchWriter → BufferKeeper: stream or group is gone; make it anew and forward again."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxForwarded:
    """BufferKeeper → asker of DrainRequested: the spool is forwarded through its last row, or `error` says why not."""

    spool_rows: int
    """Accepted and not known to be stored yet: the next start forwards them again."""
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedHeld:
    """BufferKeeper → TickIngestor: stop (or go on) reading, the spool takes nothing for now.

    A `reason` without `held` says that the feed is read on and what it brings is lost.
    """

    held: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainRequested:
    """The stop's drain → TickIngestor, CacheManager, BufferKeeper: finish what was read.

    Answered by Drained, by BufferKeeper with OutboxForwarded.
    """

    reply_to: ReplyTo


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """TickIngestor, CacheManager → asker: the socket is closed and everything read from it has been handed on."""

    feed: str
    """Empty where it is CacheManager's: the candles of what was read are handed on."""
